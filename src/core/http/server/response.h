#pragma once

#include <string>
#include <vector>

#include "core/http/client.h"

namespace toolkit::http::server {

/// An answer. Content-Length, Connection and the like are the server's to add.
struct Response {
  int status = 200;
  std::string content_type = "application/json";  // "": none
  std::string body;
  std::vector<Header> headers;
};

const char* reason_phrase(int status);  // RFC 9110; "" for one it does not know

enum class Framing { kLength, kChunked, kUntilClose };

/// Status line and headers, with the empty line. Control characters in values become blanks, so
/// that no text from outside starts a header of its own.
std::string head_text(const Response& response, Framing framing, bool keep_alive);

/// One chunk of a chunked body (RFC 9112, 7.1); an empty text has none.
std::string chunk_text(std::string_view bytes);

}  // namespace toolkit::http::server

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/http/client.h"

namespace toolkit::http::server {

/// What a client asks, its head checked.
struct Request {
  std::string method;  // "GET"
  std::string target;  // as it came: "/v1/files?limit=2"
  std::string path;    // of the target, percent-decoded once
  std::string query;   // behind the first '?', as it came
  std::vector<Header> headers;
  std::string body;

  /// Value of the first header of that name, letters' case ignored; "" if there is none.
  std::string_view header(std::string_view name) const;
  /// The decoded value of `name` in the query; empty if it is not there or malformed.
  std::optional<std::string> parameter(std::string_view name) const;
};

/// The text behind every %XX, once; empty for an incomplete one.
std::optional<std::string> percent_decoded(std::string_view text);

/// Sets path and query from the target. Returns what is wrong with it, "" if nothing: it must begin
/// with '/', and the path may hold no control character, backslash or invalid percent-encoding.
std::string read_target(Request& request);

/// Letters' case ignored, ASCII.
bool same_word(std::string_view a, std::string_view b);

}  // namespace toolkit::http::server

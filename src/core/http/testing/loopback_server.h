#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/http/client.h"

namespace toolkit::http::testing {

/// What a test's server got.
struct Received {
  std::string method, target;
  std::vector<Header> headers;
  std::string body;
  std::string header(const std::string& name) const;  // letters' case ignored; "" if absent
};

/// What it answers, faults included.
struct Answer {
  int status = 200;
  std::vector<Header> headers;  // Content-Length is added unless given
  std::string body;
  int64_t cut_after_bytes = -1;   // close the connection in the middle of the body
  int pause_ms_per_kilobyte = 0;  // a slow line
  int pause_ms_per_byte = 0;      // slow-loris: never silent, never done
  bool endless = false;           // the body again and again until the client goes
  bool endless_headers = false;   // header lines until the client goes
  bool no_answer = false;         // closes the connection without a word
};

/// A small HTTP/1.1 server on 127.0.0.1, port 0, one thread per connection, gone with the object.
class LoopbackServer {
 public:
  explicit LoopbackServer(std::function<Answer(const Received&)> answer);
  ~LoopbackServer();
  std::string origin() const;  // "http://127.0.0.1:43521"
  std::vector<Received> received() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// 206, 200 or 416 of `content` by the request's Range and If-Range headers, as a real server
/// answers.
Answer ranged_answer(const Received& request, const std::string& content, const std::string& etag);

}  // namespace toolkit::http::testing

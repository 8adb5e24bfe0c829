#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/http/url.h"

namespace toolkit::http {

struct Header {
  std::string name, value;
};

struct Request {
  std::string method = "GET";
  Url url;
  std::vector<Header> headers;  // an Authorization only where no redirect is followed
  /// Sent to the origin of `url` only: a redirect to another origin does not get it.
  std::string bearer_token;
  std::string body;
  bool follow_redirects = true;  // at most 10; https never to http
  uint64_t body_limit_bytes =
      64 << 20;  // of the decoded body: an endless or inflated one is refused
};

struct Response {
  int status = 0;
  Url url;  // of the last hop
  std::vector<Header> headers;
  std::string body;
  /// Value of the first header of that name, letters' case ignored.
  std::optional<std::string> header(std::string_view name) const;
};

/// How often and how patiently. Delays double from `first_delay` and are drawn from [d/2, d]; a
/// Retry-After counts instead, up to `longest_delay`.
struct RetryRules {
  int attempts = 6;
  std::chrono::milliseconds first_delay{500}, longest_delay{60000};
};

struct ClientSettings {
  std::string user_agent = "mlx-cache";
  std::string ca_file;            // empty: SSL_CERT_FILE and its like, else the system's
  bool allow_plain_http = false;  // http to hosts other than loopback
  std::chrono::milliseconds connect_timeout{15000};
  /// No byte for that long ends an attempt; so do fewer than 1000 bytes a second over that time
  /// (not for send_lines).
  std::chrono::milliseconds stall_timeout{30000};
  RetryRules retry;
  uint64_t random_seed = 0;  // of the delays; 0: from the system
  /// Told before each wait: "huggingface.co: 503, again in 2 s (attempt 2 of 6)".
  std::function<void(const std::string&)> on_retry;
};

/// Retried: no connection, 408, 429, 500, 502, 503, 504, and, of GET and HEAD, a stall or a cut
/// body. Not retried: the rest.
bool is_retryable(int status);
std::chrono::milliseconds retry_delay(const RetryRules& rules, int attempt, double random,
                                      std::optional<std::chrono::seconds> retry_after);

struct ClientState;

/// HTTP over libcurl: HTTP/2 where offered, system proxies (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY,
/// NO_PROXY), TLS always verified. Tokens and query strings never reach a log. Not for two threads
/// at once.
class Client {
 public:
  explicit Client(ClientSettings settings = {});
  ~Client();
  /// Any status is an answer; Error(kNetwork) when none came after all attempts, naming host, what
  /// happened and the next step.
  Response send(const Request& request);
  /// As send(), handing the body over line by line (NDJSON, 1 MiB a line); `on_line` false ends it.
  Response send_lines(const Request& request, const std::function<bool(std::string_view)>& on_line);
  const ClientSettings& settings() const;

 private:
  std::unique_ptr<ClientState> state_;
  friend struct ClientAccess;  // download.cpp drives the same transfers
};

}  // namespace toolkit::http

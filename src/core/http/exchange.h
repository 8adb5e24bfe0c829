#pragma once

#include <curl/curl.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/http/client.h"
#include "core/http/route.h"

namespace toolkit::http {

/// One request and its answer over libcurl: no redirect is followed, nothing is tried again.
class Exchange {
 public:
  using Clock = std::chrono::steady_clock;

  enum class Body { kDecoded, kAsItIs };  // gzip and the like undone, or not asked for
  Exchange(const ClientSettings& settings, const Request& request, const Route& route, Body body,
           const std::vector<Header>& more_headers = {});
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  /// Once status and headers are there. Both may return false or throw to end the exchange.
  std::function<bool()> on_headers;
  std::function<bool(const char* bytes, size_t size)> on_body;

  CURL* handle() const { return handle_; }
  const Url& url() const { return url_; }
  int status() const { return status_; }
  const std::vector<Header>& headers() const { return headers_; }
  std::optional<std::string> header(std::string_view name) const;
  std::optional<std::chrono::seconds> retry_after() const;

  /// Too slow: silent for stall_timeout, or under 1000 bytes/s over it when that was asked for.
  bool is_stalled(Clock::time_point now);
  void require_rate() { rate_required_ = true; }
  void limit_rate(uint64_t bytes_per_second);
  void end_as_stalled() { ended_ = true, stalled_ = true; }
  void end(CURLcode code) { ended_ = true, code_ = code; }
  bool ended() const { return ended_; }

  /// After the end: what a callback threw is thrown again; "" for a whole answer (or one that
  /// a callback ended), else what happened: "connection lost after 12 of 400 bytes".
  std::string trouble();
  bool was_refused() const { return refused_; }  // a callback returned false
  bool never_connected() const;
  bool is_hopeless() const;  // another attempt would end the same: a certificate that is not right

 private:
  static size_t take_header(char* bytes, size_t one, size_t count, void* self);
  static size_t take_body(char* bytes, size_t one, size_t count, void* self);
  void set_proxy();
  void take_header_line(std::string_view line);
  void note_bytes(size_t count);

  const ClientSettings& settings_;
  Url url_;
  std::string url_text_, body_;
  CURL* handle_ = nullptr;
  curl_slist* request_headers_ = nullptr;
  char error_[CURL_ERROR_SIZE] = {};
  int status_ = 0;
  std::vector<Header> headers_;
  size_t header_bytes_ = 0;
  uint64_t body_bytes_ = 0;
  bool headers_done_ = false, refused_ = false, ended_ = false, stalled_ = false;
  bool rate_required_ = false;
  CURLcode code_ = CURLE_OK;
  std::exception_ptr thrown_;
  Clock::time_point last_byte_ = Clock::now(), window_ = Clock::now();
  uint64_t window_bytes_ = 0;
};

std::optional<std::string> find_header(const std::vector<Header>& headers, std::string_view name);

}  // namespace toolkit::http

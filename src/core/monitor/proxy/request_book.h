#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "core/monitor/benchmark/stream_reader.h"
#include "core/monitor/sources/proxy_requests.h"
#include "core/monitor/sources/token_meter.h"

namespace toolkit::monitor {

/// By a request's path: how its answer is streamed; empty for paths that generate nothing.
std::optional<StreamForm> stream_form_of(const std::string& path);

/// The "model" of a request's body, and nothing else of it; "" if there is none.
std::string model_of_request(const std::string& body);

/// Follows one answer's bytes; lines of more than 1 MiB are passed over.
class AnswerTap {
 public:
  explicit AnswerTap(StreamForm form) : reader_(form) {}
  void bytes(std::string_view text, double clock_s);
  void end(double clock_s);
  const StreamReader& reader() const { return reader_; }
  RunningRequest running() const;
  FinishedRequest finished() const;

 private:
  void line(std::string_view text, double clock_s);
  StreamReader reader_;
  TokenMeter meter_;
  std::string rest_;
  bool passing_over_ = false;
  double first_s_ = 0, last_s_ = 0;
};

/// What runs through a proxy and what has ended; from any thread.
class RequestBook {
 public:
  explicit RequestBook(std::string upstream);
  int64_t begin(const std::string& model, StreamForm form);
  void bytes(int64_t id, std::string_view text);
  void end(int64_t id);
  ProxyRequests requests() const;

 private:
  struct Entry {
    std::string model;
    AnswerTap tap;
  };
  mutable std::mutex mutex_;
  std::string upstream_, started_;
  int64_t last_id_ = 0, last_sequence_ = 0;
  std::map<int64_t, Entry> running_;
  std::deque<ProxyRequests::Finished> finished_;
};

}  // namespace toolkit::monitor

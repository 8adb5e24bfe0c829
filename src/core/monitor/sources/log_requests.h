#pragma once

#include <string>
#include <vector>

#include "core/monitor/sources/server_log.h"
#include "core/monitor/sources/server_state.h"

namespace toolkit::monitor {

/// Turns the events of a log into the request that runs, as far as a log tells: one at a time, with
/// the speed of the last line.
class LogRequests {
 public:
  explicit LogRequests(std::string server) : server_(std::move(server)) {}
  void look(double time_s, const std::vector<LogEvent>& events, const std::string& model,
            ServerState& state);

 private:
  void take(double time_s, const LogEvent& event, const std::string& model, ServerState& state);

  std::string server_;
  bool running_ = false, reading_prompt_ = false;
  int64_t tokens_ = 0, prompt_tokens_ = 0;
  double tokens_per_second_ = 0, last_s_ = 0;
};

}  // namespace toolkit::monitor

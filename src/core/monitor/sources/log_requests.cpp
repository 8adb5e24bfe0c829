#include "core/monitor/sources/log_requests.h"

#include <utility>

namespace toolkit::monitor {

namespace {

/// llama-server writes a line every three seconds while it generates; after this long without one
/// the end was missed.
constexpr double kSilenceSeconds = 8;

}  // namespace

void LogRequests::take(double time_s, const LogEvent& event, const std::string& model,
                       ServerState& state) {
  last_s_ = time_s;
  switch (event.kind) {
    case LogEvent::Kind::kProgress:
      running_ = true;
      reading_prompt_ = false;
      tokens_ = event.tokens;
      tokens_per_second_ = event.tokens_per_second;
      break;
    case LogEvent::Kind::kPromptReading:
      running_ = reading_prompt_ = event.tokens < event.total;
      prompt_tokens_ = event.tokens;
      break;
    case LogEvent::Kind::kPromptDone:
      prompt_tokens_ = event.tokens;
      break;
    case LogEvent::Kind::kAnswerDone:
      running_ = false;
      state.finished.push_back({.model = model,
                                .server = server_,
                                .way = Way::kLog,
                                .quality = Quality::kExact,
                                .tokens = event.tokens,
                                .tokens_per_second = event.tokens_per_second});
      break;
    case LogEvent::Kind::kRequestDone:
      if (event.path.ends_with("/chat") || event.path.ends_with("/generate") ||
          event.path.ends_with("/completions"))
        running_ = false;
      break;
    case LogEvent::Kind::kRunnerStarted:
      running_ = false;
      break;
  }
  if (!running_) tokens_ = 0, tokens_per_second_ = 0;
}

void LogRequests::look(double time_s, const std::vector<LogEvent>& events, const std::string& model,
                       ServerState& state) {
  for (const LogEvent& event : events) take(time_s, event, model, state);
  if (running_ && time_s - last_s_ > kSilenceSeconds) running_ = false;
  if (!running_) return;
  RunningRequest request{.id = "log",
                         .model = model,
                         .server = server_,
                         .way = Way::kLog,
                         .quality = Quality::kUnknown,
                         .reading_prompt = reading_prompt_};
  if (prompt_tokens_ > 0) request.prompt_tokens = prompt_tokens_;
  if (tokens_ > 0) {
    request.tokens = tokens_;
    request.tokens_per_second = tokens_per_second_;
    request.quality = Quality::kLive;
  }
  state.running.push_back(std::move(request));
}

}  // namespace toolkit::monitor

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/json.h"

namespace toolkit::monitor {

/// How a streamed answer is written.
enum class StreamForm {
  kOllama,     // a JSON object a line; durations in the last one (api/generate, api/chat)
  kOpenAi,     // server-sent events: v1/chat/completions, v1/completions, v1/responses
  kAnthropic,  // server-sent events: v1/messages
};

/// What the server says about itself at the end of an answer.
struct AnswerCounts {
  std::optional<int64_t> tokens, prompt_tokens;
  std::optional<double> tokens_per_second, prompt_tokens_per_second;
  std::optional<double> load_seconds;
};

/// Follows a streamed answer line by line: how many pieces with text have come, when it is done,
/// what the server counted. The text itself is looked at only for being there, and not kept.
class StreamReader {
 public:
  explicit StreamReader(StreamForm form) : form_(form) {}
  void line(std::string_view line);

  int64_t pieces() const { return pieces_; }  // with text: about one token each
  bool is_done() const { return done_; }
  const AnswerCounts& counts() const { return counts_; }
  const std::string& model() const { return model_; }  // as the server calls it, "" unknown
  const std::string& error() const { return error_; }  // the server's words, "" if none

 private:
  void ollama(const Json& event);
  void open_ai(const Json& event);
  void anthropic(const Json& event);

  StreamForm form_;
  int64_t pieces_ = 0;
  bool done_ = false;
  AnswerCounts counts_;
  std::string model_, error_;
};

}  // namespace toolkit::monitor

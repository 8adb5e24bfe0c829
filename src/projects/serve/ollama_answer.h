#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/http/server/server.h"
#include "projects/serve/generation.h"
#include "projects/serve/openai_answer.h"
#include "projects/serve/text_request.h"

namespace toolkit::serve {

/// "2026-11-26T22:50:00.123456789Z", now and `seconds` later.
std::string rfc3339_now(double seconds_later = 0);

/// Seconds of a "keep_alive": a number of seconds or a duration as text; empty if absent; negative
/// for ever. Throws ApiError(400).
std::optional<double> read_keep_alive(const Members& body);

/// Sends lines of JSON, the head before the first; or, not streamed, the last of them alone.
class LineStream {
 public:
  explicit LineStream(std::shared_ptr<http::server::Exchange> exchange, bool stream = true)
      : exchange_(std::move(exchange)), stream_(stream) {}
  void send(const Json& line);
  void end();
  void fail(const ApiError& error);

 private:
  std::shared_ptr<http::server::Exchange> exchange_;
  bool stream_;
  std::string last_;
  bool begun_ = false;
};

/// Answers /api/chat ("message") and /api/generate ("response"), streamed line by line or whole.
class OllamaAnswer : public AnswerWriter {
 public:
  OllamaAnswer(std::shared_ptr<http::server::Exchange> exchange, const TextRequest& request,
               bool chat, bool in_reasoning, double load_seconds);
  void event(int answer, const engine::BatchEvent& event) override;

 private:
  Json line(const text::ReplyDelta& said, const std::vector<engine::TokenReport>& tokens,
            bool done);
  Json calls_json() const;

  std::shared_ptr<http::server::Exchange> exchange_;
  LineStream lines_;
  std::string model_;
  bool chat_, stream_, logprobs_;
  double load_seconds_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  text::ReplyParser parser_;
  std::vector<ToolCall> calls_;
  text::ReplyDelta whole_;  // not streamed: all that was said
  std::vector<engine::TokenReport> tokens_;
  bool failed_ = false;
};

}  // namespace toolkit::serve

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/http/server/server.h"
#include "projects/serve/generation.h"
#include "projects/serve/text_request.h"

namespace toolkit::serve {

/// "chatcmpl-" and 24 random letters and digits.
std::string random_id(const std::string& prefix);

/// {"prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details"} of the answers
/// to one prompt: it counts once.
Json usage_json(const std::vector<engine::BatchFigures>& figures);

/// logprobs.content of a chat answer.
Json chat_logprobs(const std::vector<engine::TokenReport>& tokens);

/// The bytes of a token as text, with U+FFFD for what is no UTF-8 by itself.
std::string shown_token(const std::string& bytes);

/// A call that a model made.
struct ToolCall {
  std::string name, arguments;  // a JSON object as text
};

/// Adds what came of calls.
void add_calls(std::vector<ToolCall>& calls, const std::vector<text::ToolCallDelta>& deltas);

/// Sends server-sent events; the head before the first.
class EventStream {
 public:
  explicit EventStream(std::shared_ptr<http::server::Exchange> exchange)
      : exchange_(std::move(exchange)) {}
  void send(const Json& event);
  void end();  // data: [DONE]
  /// An error: its own status if nothing was sent yet, else an event; then the end.
  void fail(const ApiError& error);
  bool begun() const { return begun_; }

 private:
  std::shared_ptr<http::server::Exchange> exchange_;
  bool begun_ = false;
};

/// Makes chat.completion or chat.completion.chunk objects.
class OpenAiChatAnswer : public AnswerWriter {
 public:
  OpenAiChatAnswer(std::shared_ptr<http::server::Exchange> exchange, const TextRequest& request,
                   bool in_reasoning);
  void event(int answer, const engine::BatchEvent& event) override;

 private:
  struct Choice {
    explicit Choice(text::ReplyOptions options) : parser(std::move(options)) {}
    text::ReplyParser parser;
    std::string text, reasoning, finish;
    std::vector<ToolCall> calls;
    std::vector<engine::TokenReport> tokens;
    bool opened = false;
  };
  void take(int index, const engine::BatchEvent& event);
  void stream(int index, const text::ReplyDelta& delta, const engine::BatchEvent& event);
  void send_chunk(int index, const Json& delta, const Json& logprobs, const Json& finish);
  void finish_all();
  Json whole_choice(int index) const;
  Json base(const char* object) const;

  std::shared_ptr<http::server::Exchange> exchange_;
  EventStream events_;
  TextRequest request_;  // without messages
  std::string id_;
  int64_t created_;
  std::vector<Choice> choices_;
  std::vector<engine::BatchFigures> figures_;
  int ended_ = 0;
  bool failed_ = false;
};

}  // namespace toolkit::serve

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/http/server/server.h"
#include "core/text/reply_parser.h"
#include "engine/batch/request.h"
#include "projects/serve/api_error.h"
#include "projects/serve/model_pool.h"
#include "projects/serve/text_request.h"

namespace toolkit::serve {

struct Service;

/// Turns news of one or several answers into what a client gets. Called on the engine's thread, one
/// event at a time: quick, and throws nothing.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;
  /// `answer`: 0 .. count - 1. The last event of each has `finish`.
  virtual void event(int answer, const engine::BatchEvent& event) = 0;
};

/// A conversation as a model reads it.
struct ChatPrompt {
  std::vector<int32_t> ids;
  bool in_reasoning = false;  // it ended with <think>
};

/// Whether a model with this template may reason before it answers.
bool can_think(std::string_view chat_template);

/// The conversation with the mark that opens the answer; tools stand in the system message where
/// the model's template knows none. Throws ApiError(400) for what the
/// model's template refuses, and for reasoning asked of one that cannot.
ChatPrompt chat_prompt(const engine::LanguageModel& model, const TextRequest& request);

/// How its answer is taken apart.
text::ReplyOptions reply_options(const TextRequest& request, bool in_reasoning);

/// What a request asks of the engine, for this prompt: limits, penalties, and what the answer may
/// be (a schema, a call). Throws ApiError(400).
engine::BatchRequest batch_request(const Service& service, const ModelLease& lease,
                                   const TextRequest& request, ChatPrompt prompt);

/// A request with the number its events have.
struct NumberedRequest {
  int answer;
  engine::BatchRequest request;
};

/// Starts the answers, which hold the model until their end; they are cancelled when the client
/// goes. Throws ApiError(429) when the queue is full, and for what the engine
/// refuses.
void start_answers(Service& service, const std::shared_ptr<http::server::Exchange>& exchange,
                   ModelLease lease, std::vector<NumberedRequest> requests,
                   std::shared_ptr<AnswerWriter> writer);

/// `count` times the same, with seeds that follow each other, numbered from `first` on. A
/// constraint belongs to one text: the caller gives the others their own.
std::vector<NumberedRequest> repeated(const engine::BatchRequest& request, int count,
                                      int first = 0);

/// "stop" or "length"; an ApiError for an answer that did not come to an end.
std::string finish_word(engine::FinishReason reason);
std::optional<ApiError> answer_fault(const engine::BatchEvent& event);

}  // namespace toolkit::serve

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "projects/serve/openai_answer.h"

namespace toolkit::serve {

/// A prompt of /v1/completions.
struct CompletionPrompt {
  std::vector<int32_t> ids;
  std::string text;  // for echo
};

/// What /v1/completions asks.
struct CompletionRequest {
  TextRequest text;  // count: answers to each prompt
  std::vector<CompletionPrompt> prompts;
  bool echo = false;
};

/// Makes text_completion objects. Answer p * count + i is the i-th to prompt p; those behind the
/// last are forced to be the prompts themselves, for echoed log-probabilities.
class CompletionAnswer : public AnswerWriter {
 public:
  /// `forced`: for which prompt each forced answer is. `generates`: false if only prompts are
  /// echoed.
  CompletionAnswer(std::shared_ptr<http::server::Exchange> exchange, CompletionRequest request,
                   std::vector<size_t> forced, bool generates,
                   std::shared_ptr<const text::Tokenizer> tokenizer);
  void event(int answer, const engine::BatchEvent& event) override;
  void finish_all();

 private:
  struct Choice {
    std::string text, finish = "length";
    std::vector<engine::TokenReport> tokens;
    bool opened = false;
  };
  size_t prompt_of(int choice) const;
  Json logprobs_json(int choice, const std::vector<engine::TokenReport>& tokens, bool with_prompt,
                     size_t offset) const;
  Json choice_json(int choice, const std::string& text, const Json& logprobs,
                   const Json& finish) const;
  Json base() const;
  void stream(int choice, const engine::BatchEvent& event);

  std::shared_ptr<http::server::Exchange> exchange_;
  EventStream events_;
  CompletionRequest request_;
  std::vector<size_t> forced_;
  bool generates_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  std::string id_;
  int64_t created_;
  std::vector<Choice> choices_;
  std::vector<std::vector<engine::TokenReport>> prompt_tokens_;  // by prompt, from its second token
  std::vector<engine::BatchFigures> figures_;
  size_t ended_ = 0;
  bool failed_ = false;
};

}  // namespace toolkit::serve

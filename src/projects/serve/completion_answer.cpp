#include "projects/serve/completion_answer.h"

#include <algorithm>

#include "core/model_store/utc_time.h"
#include "projects/serve/api_error.h"

namespace toolkit::serve {

namespace {

/// Characters, as Python counts them.
size_t characters(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

}  // namespace

CompletionAnswer::CompletionAnswer(std::shared_ptr<http::server::Exchange> exchange,
                                   CompletionRequest request, std::vector<size_t> forced,
                                   bool generates, std::shared_ptr<const text::Tokenizer> tokenizer)
    : exchange_(exchange),
      events_(exchange),
      request_(std::move(request)),
      forced_(std::move(forced)),
      generates_(generates),
      tokenizer_(std::move(tokenizer)),
      id_(random_id("cmpl-")),
      created_(model_store::now_s()),
      choices_(request_.prompts.size() * static_cast<size_t>(request_.text.count)),
      prompt_tokens_(request_.prompts.size()),
      figures_(choices_.size() + forced_.size()) {}

size_t CompletionAnswer::prompt_of(int choice) const {
  return static_cast<size_t>(choice / request_.text.count);
}

void CompletionAnswer::event(int answer, const engine::BatchEvent& event) {
  if (failed_) return;
  if (const auto fault = answer_fault(event)) {
    failed_ = true;
    return events_.fail(*fault);
  }
  const auto index = static_cast<size_t>(answer);
  if (index >= choices_.size()) {
    auto& tokens = prompt_tokens_[forced_[index - choices_.size()]];
    tokens.insert(tokens.end(), event.tokens.begin(), event.tokens.end());
  } else {
    Choice& choice = choices_[index];
    figures_[index] = event.figures;
    if (event.finish) choice.finish = finish_word(*event.finish);
    if (request_.text.stream) {
      stream(answer, event);
    } else {
      choice.text += event.text;
      choice.tokens.insert(choice.tokens.end(), event.tokens.begin(), event.tokens.end());
    }
  }
  const size_t answers = (generates_ ? choices_.size() : 0) + forced_.size();
  if (event.finish && ++ended_ == answers) finish_all();
}

Json CompletionAnswer::logprobs_json(int choice, const std::vector<engine::TokenReport>& tokens,
                                     bool with_prompt, size_t offset) const {
  if (request_.text.top_logprobs < 0) return nullptr;
  Json names = Json::array(), values = Json::array(), tops = Json::array(), offsets = Json::array();
  const auto add = [&](const std::string& token, const Json& value, const Json& top) {
    names.push_back(token);
    values.push_back(value);
    tops.push_back(top);
    offsets.push_back(offset);
    offset += characters(token);
  };
  const auto add_report = [&](const engine::TokenReport& report) {
    Json top = Json::object();
    for (const engine::TokenLogprob& one : report.top) {
      const std::string token = shown_token(one.bytes);
      if (!top.contains(token)) top[token] = one.logprob;
    }
    add(shown_token(report.token.bytes), report.token.logprob, top);
  };
  if (with_prompt) {
    const size_t prompt = prompt_of(choice);
    add(shown_token(tokenizer_->token_bytes(request_.prompts[prompt].ids.front())), nullptr,
        nullptr);
    for (const engine::TokenReport& report : prompt_tokens_[prompt]) add_report(report);
  }
  for (const engine::TokenReport& report : tokens) add_report(report);
  return {{"tokens", names},
          {"token_logprobs", values},
          {"top_logprobs", tops},
          {"text_offset", offsets}};
}

Json CompletionAnswer::choice_json(int choice, const std::string& text, const Json& logprobs,
                                   const Json& finish) const {
  return {{"index", choice}, {"text", text}, {"logprobs", logprobs}, {"finish_reason", finish}};
}

Json CompletionAnswer::base() const {
  return {{"id", id_},
          {"object", "text_completion"},
          {"created", created_},
          {"model", request_.text.model},
          {"system_fingerprint", "fp_mlx_toolkit"}};
}

void CompletionAnswer::stream(int index, const engine::BatchEvent& event) {
  Choice& choice = choices_[static_cast<size_t>(index)];
  std::string text = event.text;
  if (!choice.opened && request_.echo) text = request_.prompts[prompt_of(index)].text + text;
  choice.opened = true;
  if (text.empty() && event.tokens.empty() && !event.finish) return;
  Json chunk = base();
  const Json logprobs = event.tokens.empty()
                            ? Json()
                            : logprobs_json(index, event.tokens, false, characters(choice.text));
  choice.text += text;
  chunk["choices"] = Json::array(
      {choice_json(index, text, logprobs, event.finish ? Json(choice.finish) : Json())});
  if (request_.text.include_usage) chunk["usage"] = nullptr;
  events_.send(chunk);
}

void CompletionAnswer::finish_all() {
  Json usage = {{"prompt_tokens", 0}, {"completion_tokens", 0}};
  int prompt = 0, generated = 0;
  for (const CompletionPrompt& one : request_.prompts) prompt += static_cast<int>(one.ids.size());
  for (size_t i = 0; i < choices_.size(); ++i) generated += figures_[i].generated_tokens;
  usage = {{"prompt_tokens", prompt},
           {"completion_tokens", generated},
           {"total_tokens", prompt + generated}};
  Json whole = base();
  whole["choices"] = Json::array();
  if (request_.text.stream) {
    whole["usage"] = usage;
    if (request_.text.include_usage) events_.send(whole);
    return events_.end();
  }
  for (int i = 0; i < static_cast<int>(choices_.size()); ++i) {
    const Choice& choice = choices_[static_cast<size_t>(i)];
    const std::string echoed = request_.echo ? request_.prompts[prompt_of(i)].text : "";
    whole["choices"].push_back(choice_json(
        i, echoed + choice.text, logprobs_json(i, choice.tokens, request_.echo, 0), choice.finish));
  }
  whole["usage"] = usage;
  exchange_->respond({.body = whole.dump(-1, ' ', false, Json::error_handler_t::replace)});
}

}  // namespace toolkit::serve

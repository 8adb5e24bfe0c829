#include "projects/serve/openai_answer.h"

#include <random>

#include "core/model_store/utc_time.h"
#include "projects/serve/api_error.h"

namespace toolkit::serve {

namespace {

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json token_json(const engine::TokenLogprob& token) {
  Json bytes = Json::array();
  for (const char c : token.bytes) bytes.push_back(static_cast<unsigned char>(c));
  return {{"token", shown_token(token.bytes)}, {"logprob", token.logprob}, {"bytes", bytes}};
}

Json call_json(const ToolCall& call, const std::string& id) {
  return {{"id", id},
          {"type", "function"},
          {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
}

}  // namespace

std::string random_id(const std::string& prefix) {
  static constexpr char kLetters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  thread_local std::random_device device;
  std::uniform_int_distribution<int> letter(0, 35);
  std::string id = prefix;
  for (int i = 0; i < 24; ++i) id += kLetters[letter(device)];
  return id;
}

std::string shown_token(const std::string& bytes) {
  return Json::parse(dumped(Json(bytes))).get<std::string>();
}

Json usage_json(const std::vector<engine::BatchFigures>& figures) {
  int prompt = 0, cached = 0, generated = 0;
  for (const engine::BatchFigures& one : figures) {
    prompt = std::max(prompt, one.prompt_tokens);
    cached = std::max(cached, one.cached_tokens);
    generated += one.generated_tokens;
  }
  return {{"prompt_tokens", prompt},
          {"completion_tokens", generated},
          {"total_tokens", prompt + generated},
          {"prompt_tokens_details", {{"cached_tokens", cached}}}};
}

Json chat_logprobs(const std::vector<engine::TokenReport>& tokens) {
  Json content = Json::array();
  for (const engine::TokenReport& report : tokens) {
    Json entry = token_json(report.token);
    entry["top_logprobs"] = Json::array();
    for (const engine::TokenLogprob& top : report.top)
      entry["top_logprobs"].push_back(token_json(top));
    content.push_back(std::move(entry));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

void add_calls(std::vector<ToolCall>& calls, const std::vector<text::ToolCallDelta>& deltas) {
  for (const text::ToolCallDelta& delta : deltas) {
    while (calls.size() <= static_cast<size_t>(delta.index)) calls.emplace_back();
    ToolCall& call = calls[static_cast<size_t>(delta.index)];
    call.name += delta.name;
    call.arguments += delta.arguments;
  }
}

void EventStream::send(const Json& event) {
  const std::string text = "data: " + dumped(event) + "\n\n";
  if (begun_) {
    exchange_->write(text);
    return;
  }
  begun_ = true;
  exchange_->begin({.content_type = "text/event-stream; charset=utf-8",
                    .body = text,
                    .headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}}});
}

void EventStream::end() {
  exchange_->write("data: [DONE]\n\n");
  exchange_->finish();
}

void EventStream::fail(const ApiError& error) {
  if (!begun_) return exchange_->respond(error_response(exchange_->request().path, error));
  exchange_->write("data: " + openai_error_json(error) + "\n\n");
  exchange_->finish();
}

OpenAiChatAnswer::OpenAiChatAnswer(std::shared_ptr<http::server::Exchange> exchange,
                                   const TextRequest& request, bool in_reasoning)
    : exchange_(exchange),
      events_(exchange),
      request_(request),
      id_(random_id("chatcmpl-")),
      created_(model_store::now_s()),
      figures_(static_cast<size_t>(request.count)) {
  request_.messages.clear();
  for (int i = 0; i < request.count; ++i)
    choices_.emplace_back(reply_options(request, in_reasoning));
}

Json OpenAiChatAnswer::base(const char* object) const {
  return {{"id", id_},
          {"object", object},
          {"created", created_},
          {"model", request_.model},
          {"system_fingerprint", "fp_mlx_toolkit"}};
}

void OpenAiChatAnswer::event(int answer, const engine::BatchEvent& event) {
  if (failed_) return;
  if (const auto fault = answer_fault(event)) {
    failed_ = true;
    return events_.fail(*fault);
  }
  take(answer, event);
  if (event.finish && ++ended_ == request_.count) finish_all();
}

void OpenAiChatAnswer::take(int index, const engine::BatchEvent& event) {
  Choice& choice = choices_[static_cast<size_t>(index)];
  figures_[static_cast<size_t>(index)] = event.figures;
  text::ReplyDelta delta = choice.parser.push(event.text);
  if (event.finish) {
    text::ReplyDelta rest = choice.parser.finish();
    delta.content += rest.content;
    delta.reasoning += rest.reasoning;
    delta.tool_calls.insert(delta.tool_calls.end(), rest.tool_calls.begin(), rest.tool_calls.end());
    choice.finish = finish_word(*event.finish);
    if (choice.parser.call_count() > 0 && choice.finish == "stop") choice.finish = "tool_calls";
  }
  if (request_.stream) return stream(index, delta, event);
  choice.text += delta.content;
  choice.reasoning += delta.reasoning;
  add_calls(choice.calls, delta.tool_calls);
  choice.tokens.insert(choice.tokens.end(), event.tokens.begin(), event.tokens.end());
}

void OpenAiChatAnswer::send_chunk(int index, const Json& delta, const Json& logprobs,
                                  const Json& finish) {
  Json chunk = base("chat.completion.chunk");
  chunk["choices"] = Json::array(
      {{{"index", index}, {"delta", delta}, {"logprobs", logprobs}, {"finish_reason", finish}}});
  if (request_.include_usage) chunk["usage"] = nullptr;
  events_.send(chunk);
}

void OpenAiChatAnswer::stream(int index, const text::ReplyDelta& delta,
                              const engine::BatchEvent& event) {
  Choice& choice = choices_[static_cast<size_t>(index)];
  if (!choice.opened) {
    choice.opened = true;
    send_chunk(index, {{"role", "assistant"}, {"content", ""}}, nullptr, nullptr);
  }
  if (!delta.reasoning.empty())
    send_chunk(index, {{"reasoning_content", delta.reasoning}}, nullptr, nullptr);
  const bool with_logprobs = request_.top_logprobs >= 0 && !event.tokens.empty();
  if (!delta.content.empty() || with_logprobs)
    send_chunk(index, {{"content", delta.content}},
               with_logprobs ? chat_logprobs(event.tokens) : Json(), nullptr);
  for (const text::ToolCallDelta& call : delta.tool_calls) {
    Json sent = {{"index", call.index}, {"function", {{"arguments", call.arguments}}}};
    if (!call.name.empty())
      sent.update({{"id", random_id("call_")},
                   {"type", "function"},
                   {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    send_chunk(index, {{"tool_calls", Json::array({sent})}}, nullptr, nullptr);
  }
  if (event.finish) send_chunk(index, Json::object(), nullptr, choice.finish);
}

Json OpenAiChatAnswer::whole_choice(int index) const {
  const Choice& choice = choices_[static_cast<size_t>(index)];
  Json message = {{"role", "assistant"}, {"content", choice.text}, {"refusal", nullptr}};
  if (!choice.reasoning.empty()) message["reasoning_content"] = choice.reasoning;
  if (!choice.calls.empty()) {
    if (choice.text.find_first_not_of(" \n") == std::string::npos) message["content"] = nullptr;
    message["tool_calls"] = Json::array();
    for (const ToolCall& call : choice.calls)
      message["tool_calls"].push_back(call_json(call, random_id("call_")));
  }
  return {{"index", index},
          {"message", message},
          {"logprobs", request_.top_logprobs >= 0 ? chat_logprobs(choice.tokens) : Json()},
          {"finish_reason", choice.finish}};
}

void OpenAiChatAnswer::finish_all() {
  if (request_.stream) {
    if (request_.include_usage) {
      Json chunk = base("chat.completion.chunk");
      chunk["choices"] = Json::array();
      chunk["usage"] = usage_json(figures_);
      events_.send(chunk);
    }
    return events_.end();
  }
  Json whole = base("chat.completion");
  whole["choices"] = Json::array();
  for (int i = 0; i < request_.count; ++i) whole["choices"].push_back(whole_choice(i));
  whole["usage"] = usage_json(figures_);
  exchange_->respond({.body = dumped(whole)});
}

}  // namespace toolkit::serve

#include "projects/serve/ollama_answer.h"

#include <fmt/format.h>

#include <ctime>

#include "core/base/elapsed.h"
#include "core/base/error.h"
#include "projects/serve/api_error.h"
#include "projects/serve/config.h"
#include "projects/serve/openai_answer.h"

namespace toolkit::serve {

namespace {

int64_t nanoseconds(double seconds) {
  return static_cast<int64_t>(seconds * 1e9);
}

}  // namespace

std::string rfc3339_now(double seconds_later) {
  const auto now = std::chrono::system_clock::now() +
                   std::chrono::duration_cast<std::chrono::system_clock::duration>(
                       std::chrono::duration<double>(seconds_later));
  const int64_t ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
  const auto seconds = static_cast<std::time_t>(ns / 1'000'000'000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     ns % 1'000'000'000);
}

std::optional<double> read_keep_alive(const Members& body) {
  const OrderedJson* value = body.any("keep_alive");
  if (!value) return std::nullopt;
  if (value->is_number()) return body.number("keep_alive", -1e12, 1e12);
  if (!value->is_string()) body.refuse("keep_alive", "seconds or a duration like \"5m\"");
  const auto text = value->get<std::string>();
  if (text.empty()) return std::nullopt;
  try {
    return duration_seconds(text, "keep_alive");
  } catch (const Error&) {
    body.refuse("keep_alive", "seconds or a duration like \"5m\"");
  }
}

void LineStream::send(const Json& line) {
  const std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  if (!stream_) {
    last_ = text;
    return;
  }
  if (begun_) {
    exchange_->write(text);
    return;
  }
  begun_ = true;
  exchange_->begin({.content_type = "application/x-ndjson", .body = text});
}

void LineStream::end() {
  if (!stream_) return exchange_->respond({.body = last_});
  exchange_->finish();
}

void LineStream::fail(const ApiError& error) {
  if (!begun_) return exchange_->respond(error_response(exchange_->request().path, error));
  exchange_->write(ollama_error_json(error) + "\n");
  exchange_->finish();
}

OllamaAnswer::OllamaAnswer(std::shared_ptr<http::server::Exchange> exchange,
                           const TextRequest& request, bool chat, bool in_reasoning,
                           double load_seconds)
    : exchange_(exchange),
      lines_(exchange),
      model_(request.model),
      chat_(chat),
      stream_(request.stream),
      logprobs_(request.top_logprobs >= 0),
      load_seconds_(load_seconds),
      parser_(reply_options(request, in_reasoning)) {}

Json OllamaAnswer::calls_json() const {
  Json calls = Json::array();
  for (const ToolCall& call : calls_) {
    Json arguments = Json::parse(call.arguments, nullptr, /*allow_exceptions=*/false);
    if (!arguments.is_object()) arguments = Json::object();
    calls.push_back({{"function", {{"name", call.name}, {"arguments", arguments}}}});
  }
  return calls;
}

Json OllamaAnswer::line(const text::ReplyDelta& said,
                        const std::vector<engine::TokenReport>& tokens, bool done) {
  Json line = {{"model", model_}, {"created_at", rfc3339_now()}, {"done", done}};
  if (chat_) {
    line["message"] = {{"role", "assistant"}, {"content", said.content}};
    if (!said.reasoning.empty()) line["message"]["thinking"] = said.reasoning;
  } else {
    line["response"] = said.content;
    if (!said.reasoning.empty()) line["thinking"] = said.reasoning;
  }
  if (logprobs_ && !tokens.empty()) line["logprobs"] = chat_logprobs(tokens)["content"];
  return line;
}

void OllamaAnswer::event(int, const engine::BatchEvent& event) {
  if (failed_) return;
  if (const auto fault = answer_fault(event)) {
    failed_ = true;
    return lines_.fail(*fault);
  }
  text::ReplyDelta said = parser_.push(event.text);
  if (event.finish) {
    const text::ReplyDelta rest = parser_.finish();
    said.content += rest.content;
    said.reasoning += rest.reasoning;
    add_calls(calls_, said.tool_calls);
    add_calls(calls_, rest.tool_calls);
  } else {
    add_calls(calls_, said.tool_calls);
  }
  if (stream_) {
    if (!said.content.empty() || !said.reasoning.empty())
      lines_.send(line(said, event.tokens, false));
    if (event.finish && !calls_.empty()) {  // their arguments are an object: whole or not at all
      Json calls = line({}, {}, false);
      calls["message"]["tool_calls"] = calls_json();
      lines_.send(calls);
    }
  } else {
    whole_.content += said.content;
    whole_.reasoning += said.reasoning;
    tokens_.insert(tokens_.end(), event.tokens.begin(), event.tokens.end());
  }
  if (!event.finish) return;
  Json last = line(whole_, tokens_, true);
  if (!stream_ && !calls_.empty()) last["message"]["tool_calls"] = calls_json();
  const engine::BatchFigures& figures = event.figures;
  last["done_reason"] = finish_word(*event.finish);
  last["total_duration"] = nanoseconds(seconds_since(begin_) + load_seconds_);
  last["load_duration"] = nanoseconds(load_seconds_);
  last["prompt_eval_count"] = figures.prompt_tokens;
  last["prompt_eval_duration"] = nanoseconds(figures.prompt_seconds);
  last["eval_count"] = figures.generated_tokens;
  last["eval_duration"] = nanoseconds(figures.generation_seconds);
  if (!stream_)
    return exchange_->respond({.body = last.dump(-1, ' ', false, Json::error_handler_t::replace)});
  lines_.send(last);
  lines_.end();
}

}  // namespace toolkit::serve

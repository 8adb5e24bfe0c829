#include "core/monitor/benchmark/stream_reader.h"

#include "core/base/error.h"
#include "core/monitor/sources/ollama_answers.h"

namespace toolkit::monitor {

namespace {

bool has_text(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() &&
         !found->get_ref<const std::string&>().empty();
}

/// A part of an answer: content or what a model thinks before it.
bool has_content(const Json& part) {
  if (!part.is_object()) return false;
  for (const char* key :
       {"content", "response", "thinking", "reasoning_content", "text", "reasoning"})
    if (has_text(part, key)) return true;
  const auto calls = part.find("tool_calls");
  return calls != part.end() && calls->is_array() && !calls->empty();
}

std::optional<double> per_second(const Json& event, const char* count, const char* nanoseconds) {
  const auto tokens = number_of(event, count), time = number_of(event, nanoseconds);
  if (!tokens || !time || *time <= 0) return std::nullopt;
  return static_cast<double>(*tokens) * 1e9 / static_cast<double>(*time);
}

std::optional<double> real_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

std::string error_of(const Json& event) {
  const auto found = event.find("error");
  if (found == event.end()) return "";
  if (found->is_object()) return text_of(*found, "message");
  return text_of(event, "error");
}

}  // namespace

void StreamReader::ollama(const Json& event) {
  if (has_content(event) || (event.contains("message") && has_content(event["message"]))) ++pieces_;
  const auto done = event.find("done");
  if (done == event.end() || !done->is_boolean() || !done->get<bool>()) return;
  done_ = true;
  counts_ = {
      .tokens = number_of(event, "eval_count"),
      .prompt_tokens = number_of(event, "prompt_eval_count"),
      .tokens_per_second = per_second(event, "eval_count", "eval_duration"),
      .prompt_tokens_per_second = per_second(event, "prompt_eval_count", "prompt_eval_duration")};
  if (const auto load = number_of(event, "load_duration"))
    counts_.load_seconds = static_cast<double>(*load) / 1e9;
}

void StreamReader::open_ai(const Json& event) {
  const auto choices = event.find("choices");
  if (choices != event.end() && choices->is_array())
    for (const Json& choice : *choices) {
      if (!choice.is_object()) continue;
      if (has_content(choice) || (choice.contains("delta") && has_content(choice["delta"])) ||
          (choice.contains("message") && has_content(choice["message"])))
        ++pieces_;
    }
  const std::string type = text_of(event, "type");  // of v1/responses
  if (type.ends_with(".delta") && has_text(event, "delta")) ++pieces_;
  if (type == "response.completed") done_ = true;
  const Json& holder = event.contains("response") ? event["response"] : event;
  const auto usage = holder.is_object() ? holder.find("usage") : holder.end();
  if (holder.is_object() && usage != holder.end() && usage->is_object()) {
    for (const char* key : {"completion_tokens", "output_tokens"})
      if (const auto tokens = number_of(*usage, key)) counts_.tokens = tokens;
    for (const char* key : {"prompt_tokens", "input_tokens"})
      if (const auto tokens = number_of(*usage, key)) counts_.prompt_tokens = tokens;
  }
  // llama-server adds what it measured.
  const auto timings = event.find("timings");
  if (timings != event.end() && timings->is_object()) {
    counts_.tokens_per_second = real_of(*timings, "predicted_per_second");
    counts_.prompt_tokens_per_second = real_of(*timings, "prompt_per_second");
  }
}

void StreamReader::anthropic(const Json& event) {
  const std::string type = text_of(event, "type");
  if (type == "content_block_delta") ++pieces_;
  if (type == "message_stop") done_ = true;
  if (event.contains("message")) model_ = text_of(event["message"], "model");
  for (const Json& holder : {event, event.value("message", Json())}) {
    if (!holder.is_object() || !holder.contains("usage")) continue;
    if (const auto tokens = number_of(holder["usage"], "output_tokens")) counts_.tokens = tokens;
    if (const auto tokens = number_of(holder["usage"], "input_tokens"))
      counts_.prompt_tokens = tokens;
  }
}

void StreamReader::line(std::string_view line) {
  if (form_ != StreamForm::kOllama && line.starts_with("data:")) {
    line.remove_prefix(5);
    while (line.starts_with(' ')) line.remove_prefix(1);
    if (line == "[DONE]") {
      done_ = true;
      return;
    }
  }
  const size_t begin = line.find_first_not_of(" \t\r");
  if (begin == line.npos || line[begin] != '{') return;
  const Json event = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!event.is_object()) return;
  if (const std::string words = error_of(event); !words.empty()) error_ = words;
  if (const std::string name = text_of(event, "model"); !name.empty()) model_ = name;
  if (form_ == StreamForm::kOllama)
    ollama(event);
  else if (form_ == StreamForm::kOpenAi)
    open_ai(event);
  else
    anthropic(event);
}

}  // namespace toolkit::monitor

#include <algorithm>

#include "projects/serve/api_error.h"
#include "projects/serve/text_request.h"

namespace toolkit::serve {

namespace {

void read_options(const Members& body, TextRequest& request) {
  static const OrderedJson none = OrderedJson::object();
  const OrderedJson* given = body.object("options");
  const Members options(given ? *given : none, "options.");
  engine::SamplingOptions& sampling = request.sampling;
  sampling.temperature = options.number("temperature", 0, 100).value_or(0.8);
  sampling.top_k =
      static_cast<int>(std::max<int64_t>(options.integer("top_k", -1).value_or(40), 0));
  sampling.top_p = options.number("top_p", 0, 1).value_or(0.9);
  sampling.min_p = options.number("min_p", 0, 1).value_or(0.0);
  sampling.repetition_penalty = options.number("repeat_penalty", 0.01, 100).value_or(1.1);
  sampling.repetition_window =
      static_cast<int>(std::max<int64_t>(options.integer("repeat_last_n", -1).value_or(64), 0));
  sampling.presence_penalty = options.number("presence_penalty", -2, 2).value_or(0.0);
  sampling.frequency_penalty = options.number("frequency_penalty", -2, 2).value_or(0.0);
  if (const auto mirostat = options.integer("mirostat", 0, 2); mirostat && *mirostat != 0) {
    if (*mirostat == 1) options.refuse("mirostat", "0 or 2");
    sampling.mirostat_tau = options.number("mirostat_tau", 0.01, 100).value_or(5.0);
    sampling.mirostat_eta = options.number("mirostat_eta", 0, 1).value_or(0.1);
  }
  sampling.seed = seed_of(options);
  const int64_t predict = options.integer("num_predict", -2).value_or(-1);
  if (predict > 0) request.max_tokens = static_cast<int>(predict);
  options.integer("num_ctx", 0);  // checked; the context is the server's to choose
  request.stop_texts = options.texts("stop", kMostStopTexts, 1024);
  std::erase(request.stop_texts, "");
}

}  // namespace

std::string read_ollama_model(const Members& body) {
  std::string name = body.text("model").value_or("");
  if (name.empty()) name = body.text("name").value_or("");
  if (name.empty()) body.refuse("model", "a text");
  return name;
}

void read_ollama_common(const Members& body, TextRequest& request) {
  request.model = body.need_text("model");
  request.stream = body.boolean("stream").value_or(true);
  read_options(body, request);
  if (const OrderedJson* think = body.any("think")) {
    if (!think->is_boolean() && !think->is_string())
      body.refuse("think", "true, false or how much");
    request.think = *think != OrderedJson(false);
  }
  if (body.boolean("logprobs").value_or(false)) request.top_logprobs = 0;
  if (const auto top = body.integer("top_logprobs", 0, 20); top && request.top_logprobs >= 0)
    request.top_logprobs = static_cast<int>(*top);
  const OrderedJson* format = body.any("format");
  if (!format || *format == OrderedJson("")) return;
  if (*format == OrderedJson("json"))
    request.format = TextRequest::Format::kJsonObject;
  else if (format->is_object())
    set_schema(*format, "format", request);
  else
    body.refuse("format", "\"json\" or a JSON Schema");
}

TextRequest read_ollama_chat(const OrderedJson& json) {
  const Members body(json);
  TextRequest request;
  read_ollama_common(body, request);
  if (const OrderedJson* messages = body.list("messages", kMostMessages))
    request.messages = read_messages(*messages, "messages");
  if (const OrderedJson* tools = body.list("tools", kMostTools)) read_tools(*tools, request);
  return request;
}

}  // namespace toolkit::serve

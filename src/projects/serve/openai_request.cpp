#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "projects/serve/api_error.h"
#include "projects/serve/text_request.h"

namespace toolkit::serve {

namespace {

void read_logit_bias(const Members& body, TextRequest& request) {
  const OrderedJson* biases = body.object("logit_bias");
  if (!biases) return;
  if (biases->size() > 1024) body.refuse("logit_bias", "at most 1024 tokens");
  for (const auto& [key, value] : biases->items()) {
    int32_t id = 0;
    const auto end = std::from_chars(key.data(), key.data() + key.size(), id);
    if (end.ec != std::errc() || end.ptr != key.data() + key.size() || id < 0 ||
        !value.is_number() || !(value.get<double>() >= -100 && value.get<double>() <= 100))
      body.refuse("logit_bias", "token ids with numbers from -100 to 100");
    request.sampling.logit_bias.emplace_back(id, value.get<float>());
  }
}

void read_response_format(const Members& body, TextRequest& request) {
  const OrderedJson* format = body.object("response_format");
  if (!format) return;
  const Members members(*format, "response_format.");
  const std::string type = members.need_text("type");
  if (type == "text") return;
  if (type == "json_object") {
    request.format = TextRequest::Format::kJsonObject;
    // llama.cpp's servers take a schema here.
    if (const OrderedJson* schema = members.object("schema"))
      set_schema(*schema, members.path("schema"), request);
    return;
  }
  if (type != "json_schema") members.refuse("type", "text, json_object or json_schema");
  if (!members.object("json_schema")) members.refuse("json_schema", "an object");
  const Members described(*members.object("json_schema"), "response_format.json_schema.");
  const OrderedJson* schema = described.object("schema");
  if (!schema) described.refuse("schema", "a JSON Schema");
  set_schema(*schema, described.path("schema"), request);
}

void read_tool_choice(const Members& body, TextRequest& request) {
  const OrderedJson* choice = body.any("tool_choice");
  if (!choice) return;
  using Choice = TextRequest::ToolChoice;
  const std::string word = choice->is_string() ? choice->get<std::string>() : "";
  if (word == "none") {
    request.tool_choice = Choice::kNone;
    request.tools.clear();
    request.tools_json.clear();
    return;
  }
  if (word == "auto") return;
  if (request.tools.empty()) body.refuse("tool_choice", "tools to choose from");
  request.tool_choice = Choice::kRequired;
  if (word == "required") return;
  if (!choice->is_object()) body.refuse("tool_choice", "none, auto, required or a function");
  const Members named(*choice, "tool_choice.");
  if (!named.object("function")) named.refuse("function", "an object");
  request.only_tool = Members(*named.object("function"), "tool_choice.function.").need_text("name");
  if (std::none_of(request.tools.begin(), request.tools.end(),
                   [&](const text::Tool& tool) { return tool.name == request.only_tool; }))
    body.refuse("tool_choice", "the name of one of the tools");
}

}  // namespace

void read_openai_sampling(const Members& body, TextRequest& request) {
  request.model = body.need_text("model");
  engine::SamplingOptions& sampling = request.sampling;
  sampling.temperature = body.number("temperature", 0, 2).value_or(1.0);
  sampling.top_p = body.number("top_p", 0, 1).value_or(1.0);
  sampling.min_p = body.number("min_p", 0, 1).value_or(0.0);
  sampling.top_k = static_cast<int>(body.integer("top_k", -1).value_or(0));
  sampling.top_k = std::max(sampling.top_k, 0);
  sampling.repetition_penalty = body.number("repetition_penalty", 0.01, 100).value_or(1.0);
  sampling.presence_penalty = body.number("presence_penalty", -2, 2).value_or(0.0);
  sampling.frequency_penalty = body.number("frequency_penalty", -2, 2).value_or(0.0);
  sampling.seed = seed_of(body);
  if (const auto tokens = body.integer("max_tokens", 0)) request.max_tokens = *tokens;
  request.stop_texts = body.texts("stop", kMostStopTexts, 1024);
  std::erase(request.stop_texts, "");
  request.ignore_stop_ids = body.boolean("ignore_eos").value_or(false);
  request.count = static_cast<int>(body.integer("n", 1, 64).value_or(1));
  request.stream = body.boolean("stream").value_or(false);
  if (const OrderedJson* options = body.object("stream_options"))
    request.include_usage =
        Members(*options, "stream_options.").boolean("include_usage").value_or(false);
  read_logit_bias(body, request);
}

TextRequest read_openai_chat(const OrderedJson& json) {
  const Members body(json);
  TextRequest request;
  read_openai_sampling(body, request);
  if (const auto tokens = body.integer("max_completion_tokens", 1)) request.max_tokens = *tokens;
  if (request.max_tokens == 0) body.refuse("max_tokens", "a whole number from 1");
  request.messages = read_messages(body.need_list("messages", kMostMessages), "messages");
  if (request.messages.empty()) body.refuse("messages", "at least one message");
  if (body.boolean("logprobs").value_or(false)) request.top_logprobs = 0;
  if (const auto top = body.integer("top_logprobs", 0, 20)) {
    if (request.top_logprobs < 0 && *top > 0) body.refuse("top_logprobs", "\"logprobs\": true too");
    if (request.top_logprobs >= 0) request.top_logprobs = static_cast<int>(*top);
  }
  if (const OrderedJson* tools = body.list("tools", kMostTools)) read_tools(*tools, request);
  read_tool_choice(body, request);
  if (const OrderedJson* variables = body.object("chat_template_kwargs")) {
    request.template_json = variables->dump();
    if (request.template_json.size() > 64 << 10)
      body.refuse("chat_template_kwargs", "an object of at most 64 KiB");
  }
  read_response_format(body, request);
  return request;
}

}  // namespace toolkit::serve

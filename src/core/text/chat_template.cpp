#include "core/text/chat_template.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "core/text/assistant_ranges.h"
#include "core/text/bridge.h"

namespace toolkit::text {
namespace {

using OrderedJson = nlohmann::ordered_json;  // a template may print a tool's members in order

// A long conversation takes about a hundred steps per message.
constexpr uint64_t kMaxSteps = 10'000'000;
constexpr size_t kMaxOutput = 64 << 20;

OrderedJson parse_part(const std::string& text, const std::string& what,
                       OrderedJson::value_t type) {
  OrderedJson parsed = OrderedJson::parse(text, nullptr, /*allow_exceptions=*/false);
  if (parsed.type() != type) {
    fail(ErrorKind::kUserInput, "{}: expected a JSON {}, found: {}", what,
         type == OrderedJson::value_t::array ? "array" : "object", text.substr(0, 80));
  }
  return parsed;
}

// The names reasoning goes by in data sets; templates read the first (gpt-oss: the second).
void alias_reasoning(OrderedJson& message) {
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    const auto found = message.find(name);
    if (found == message.end() || found->is_null()) continue;
    const OrderedJson value = *found;
    message["reasoning_content"] = value;
    if (!message.contains("thinking")) message["thinking"] = value;
    return;
  }
}

OrderedJson message_json(const Message& message, size_t index) {
  OrderedJson result = {{"role", message.role}, {"content", message.content}};
  if (!message.extra_json.empty()) {
    const auto extra = parse_part(message.extra_json, fmt::format("message {}", index + 1),
                                  OrderedJson::value_t::object);
    for (const auto& [key, value] : extra.items()) result[key] = value;
    alias_reasoning(result);
  }
  return result;
}

OrderedJson variables_json(const std::vector<Message>& messages, const RenderOptions& options,
                           const std::string& bos_token, const std::string& eos_token) {
  OrderedJson variables = OrderedJson::object();
  if (!bos_token.empty()) variables["bos_token"] = bos_token;
  if (!eos_token.empty()) variables["eos_token"] = eos_token;
  if (!options.extra_json.empty()) {
    const auto extra =
        parse_part(options.extra_json, "template variables", OrderedJson::value_t::object);
    for (const auto& [key, value] : extra.items()) variables[key] = value;
  }
  OrderedJson list = OrderedJson::array();
  for (size_t i = 0; i < messages.size(); ++i) list.push_back(message_json(messages[i], i));
  variables["messages"] = std::move(list);
  variables["tools"] = options.tools_json.empty()
                           ? OrderedJson()
                           : parse_part(options.tools_json, "tools", OrderedJson::value_t::array);
  if (!variables.contains("documents")) variables["documents"] = nullptr;
  variables["add_generation_prompt"] = options.add_generation_prompt;
  return variables;
}

std::string to_text(const OrderedJson& variables) {
  try {
    return variables.dump();
  } catch (const OrderedJson::exception& error) {
    fail(ErrorKind::kUserInput, "a message is not UTF-8 text: {}", error.what());
  }
}

RenderedChat render_marked(const TbTemplate* handle, const std::string& variables) {
  TbRendered rendered{};
  BridgeBytes error;
  const int status =
      tb_template_render(handle, bytes_of(variables), variables.size(), &rendered, &error.raw);
  check_bridge(status, error, "chat template");
  const std::unique_ptr<TbRendered, void (*)(TbRendered*)> owner(
      &rendered, [](TbRendered* result) { tb_rendered_free(*result); });
  RenderedChat result;
  result.text.assign(reinterpret_cast<const char*>(rendered.text.data), rendered.text.size);
  for (size_t i = 0; i < rendered.mark_count; ++i) {
    result.assistant.emplace_back(rendered.marks[2 * i], rendered.marks[2 * i + 1]);
  }
  return result;
}

}  // namespace

ChatTemplate::ChatTemplate(std::string source, std::string bos_token, std::string eos_token)
    : source_(std::move(source)),
      bos_token_(std::move(bos_token)),
      eos_token_(std::move(eos_token)) {
  TbTemplate* handle = nullptr;
  BridgeBytes error;
  const int status = tb_template_new(bytes_of(source_), source_.size(), kMaxSteps, kMaxOutput,
                                     &handle, &error.raw);
  check_bridge(status, error, "chat template");
  handle_ = handle;
}

ChatTemplate::~ChatTemplate() {
  tb_template_free(static_cast<TbTemplate*>(handle_));
}

ChatTemplate::ChatTemplate(ChatTemplate&& other) noexcept
    : source_(std::move(other.source_)),
      bos_token_(std::move(other.bos_token_)),
      eos_token_(std::move(other.eos_token_)),
      handle_(std::exchange(other.handle_, nullptr)) {}

ChatTemplate& ChatTemplate::operator=(ChatTemplate&& other) noexcept {
  std::swap(source_, other.source_);
  std::swap(bos_token_, other.bos_token_);
  std::swap(eos_token_, other.eos_token_);
  std::swap(handle_, other.handle_);
  return *this;
}

std::string ChatTemplate::render(const std::vector<Message>& messages,
                                 const RenderOptions& options) const {
  const auto variables = variables_json(messages, options, bos_token_, eos_token_);
  return render_marked(static_cast<const TbTemplate*>(handle_), to_text(variables)).text;
}

RenderedChat ChatTemplate::render_supervised(const std::vector<Message>& messages,
                                             const RenderOptions& options) const {
  const auto* handle = static_cast<const TbTemplate*>(handle_);
  if (tb_template_marks_generation(handle)) {
    return render_marked(handle,
                         to_text(variables_json(messages, options, bos_token_, eos_token_)));
  }
  return find_assistant_ranges(messages, options.add_generation_prompt,
                               [&](const std::vector<Message>& part, bool generation_prompt) {
                                 RenderOptions with = options;
                                 with.add_generation_prompt = generation_prompt;
                                 return render(part, with);
                               });
}

const char* const kChatMlTemplate =
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

}  // namespace toolkit::text

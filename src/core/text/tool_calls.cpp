#include "core/text/tool_calls.h"

#include <cctype>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/text/grammar.h"

namespace toolkit::text {
namespace {

using OrderedJson = nlohmann::ordered_json;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

constexpr const char* kInstruction =
    "You may call one or more functions to help with the user's request. The functions, one in a "
    "line:\n<tools>\n{}</tools>\n\nTo call a function, answer with a JSON object of its name and "
    "its arguments inside of <tool_call> marks:\n<tool_call>\n{{\"name\": <name>, \"arguments\": "
    "<object>}}\n</tool_call>";

OrderedJson parsed(const std::string& text, const char* what, OrderedJson::value_t type) {
  OrderedJson json = OrderedJson::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.type() != type)
    fail(ErrorKind::kUserInput, "{}: expected a JSON {}, found: {}", what,
         type == OrderedJson::value_t::array ? "list" : "object", text.substr(0, 80));
  return json;
}

std::string instruction(const std::string& tools_json) {
  std::string lines;
  for (const OrderedJson& tool : parsed(tools_json, "tools", OrderedJson::value_t::array))
    lines += tool.dump() + "\n";
  return fmt::format(fmt::runtime(kInstruction), lines);
}

/// Calls of an earlier answer as the model would have written them.
std::string calls_as_text(const std::string& extra_json) {
  if (extra_json.empty()) return "";
  const OrderedJson extra = parsed(extra_json, "message", OrderedJson::value_t::object);
  const auto calls = extra.find("tool_calls");
  if (calls == extra.end() || !calls->is_array()) return "";
  std::string text;
  for (const OrderedJson& call : *calls) {
    const OrderedJson& function =
        call.is_object() && call.contains("function") ? call["function"] : call;
    if (!function.is_object() || !function.contains("name")) continue;
    OrderedJson arguments = function.value("arguments", OrderedJson::object());
    if (arguments.is_string())
      arguments = OrderedJson::parse(arguments.get<std::string>(), nullptr, false);
    if (arguments.is_discarded()) arguments = OrderedJson::object();
    const OrderedJson written = {{"name", function["name"]}, {"arguments", arguments}};
    text += (text.empty() ? "" : "\n") + ("<tool_call>\n" + written.dump() + "\n</tool_call>");
  }
  return text;
}

/// A Lark string, or the token itself where the tokenizer has a special one.
std::string mark(const Tokenizer& tokenizer, const std::string& text) {
  const auto id = tokenizer.id_of(text);
  return id && tokenizer.is_special(*id) ? fmt::format("<[{}]>", *id) : OrderedJson(text).dump();
}

/// The schema as `%json` takes it.
std::string argument_schema(const Tool& tool) {
  OrderedJson schema = OrderedJson::object();
  if (!tool.parameters.empty()) {
    schema = OrderedJson::parse(tool.parameters, nullptr, /*allow_exceptions=*/false);
    if (schema.is_discarded())
      fail(ErrorKind::kUserInput, "function '{}': its parameters are not JSON",
           tool.name.substr(0, 80));
  }
  if (!schema.is_object()) schema = OrderedJson::object();
  if (!schema.contains("$ref")) schema["type"] = "object";
  schema["x-guidance"] = {{"whitespace_pattern", kJsonSpace}, {"lenient", true}};
  return schema.dump();
}

}  // namespace

ToolCallForm tool_call_form(std::string_view chat_template) {
  if (contains(chat_template, "<tool_call>")) return ToolCallForm::kTagged;
  if (contains(chat_template, "[TOOL_CALLS]")) return ToolCallForm::kMistral;
  if (contains(chat_template, "<|python_tag|>") || contains(chat_template, "\"parameters\": "))
    return ToolCallForm::kBareJson;
  return ToolCallForm::kTagged;
}

bool template_takes_tools(std::string_view chat_template) {
  // As a whole word: "tool_calls" alone shows earlier calls only.
  for (size_t at = 0; (at = chat_template.find("tools", at)) != std::string_view::npos; ++at) {
    const auto is_letter = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
    };
    const bool begins = at == 0 || !is_letter(chat_template[at - 1]);
    const bool ends = at + 5 == chat_template.size() || !is_letter(chat_template[at + 5]);
    if (begins && ends) return true;
  }
  return false;
}

std::vector<Message> with_tools_in_text(const std::vector<Message>& messages,
                                        const std::string& tools_json) {
  std::vector<Message> result;
  if (!tools_json.empty()) {
    const bool system = !messages.empty() && messages.front().role == "system";
    const std::string before = system ? messages.front().content + "\n\n" : "";
    result.push_back({"system", before + instruction(tools_json), ""});
  }
  for (size_t i = 0; i < messages.size(); ++i) {
    Message message = messages[i];
    if (i == 0 && message.role == "system" && !tools_json.empty()) continue;
    if (message.role == "assistant") {
      const std::string calls = calls_as_text(message.extra_json);
      if (!calls.empty())
        message = {"assistant", message.content + (message.content.empty() ? "" : "\n") + calls,
                   ""};
    }
    if (message.role == "tool") {
      message = {"user", "<tool_response>\n" + message.content + "\n</tool_response>", ""};
      // Answers to calls that were made together belong to one turn.
      if (i > 0 && messages[i - 1].role == "tool" && !result.empty()) {
        result.back().content += "\n" + message.content;
        continue;
      }
    }
    result.push_back(std::move(message));
  }
  return result;
}

std::string tool_call_grammar(std::span<const Tool> tools, const ToolCallGrammar& options,
                              const Tokenizer& tokenizer) {
  if (tools.empty()) fail(ErrorKind::kUserInput, "expected at least one function to call");
  const bool tagged = options.form == ToolCallForm::kTagged;
  const bool listed = options.form == ToolCallForm::kMistral;
  std::string objects, rules;
  for (size_t i = 0; i < tools.size(); ++i) {
    const OrderedJson name = tools[i].name;
    const std::string head =
        fmt::format("{{\"name\": {}, \"{}\": ", name.dump(),
                    options.form == ToolCallForm::kBareJson ? "parameters" : "arguments");
    objects += fmt::format("{}object_{}", i == 0 ? "" : " | ", i);
    rules += fmt::format("object_{0}: {1} arguments_{0} \"}}\"\narguments_{0}: %json {2}\n", i,
                         OrderedJson(head).dump(), argument_schema(tools[i]));
  }
  std::string call = "object";
  if (tagged)
    call = fmt::format("{} \"\\n\" object \"\\n\" {}", mark(tokenizer, "<tool_call>"),
                       mark(tokenizer, "</tool_call>"));
  const char* separator = listed ? "\", \"" : tagged ? "\"\\n\"" : "\"; \"";
  std::string answer = options.several ? fmt::format("call ({} call)*", separator) : "call";
  if (listed) answer = fmt::format("{} \"[\" {} \"]\"", mark(tokenizer, "[TOOL_CALLS]"), answer);
  if (options.in_reasoning) {
    answer = "reasoning " + answer;
    rules += reasoning_rule(tokenizer);
  }
  return fmt::format("start: {}\ncall: {}\nobject: {}\n{}", answer, call, objects, rules);
}

}  // namespace toolkit::text

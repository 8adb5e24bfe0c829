// {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", ...}], "tools": [...]}
#include <algorithm>

#include "core/base/error.h"
#include "core/base/nearest.h"
#include "core/data/row_format.h"
#include "core/data/row_source.h"

namespace toolkit::data {
namespace {

std::string checked_role(const OrderedJson& message) {
  std::string role = text_member(message, "role");
  if (role == "developer") return "system";  // OpenAI's newer name; templates know the older one
  static const std::vector<std::string> kRoles = {"system", "user", "assistant", "tool"};
  if (std::find(kRoles.begin(), kRoles.end(), role) != kRoles.end()) return role;
  fail(ErrorKind::kUserInput, "unknown role '{}', expected system, user, assistant or tool.{}",
       role, did_you_mean(role, kRoles));
}

// A string, or a list of {"type": "text", "text": ...} parts.
std::string content_text(const OrderedJson& message) {
  const auto found = message.find("content");
  const bool calls = message.contains("tool_calls") && !message["tool_calls"].empty();
  if (found == message.end() || found->is_null()) {
    if (calls) return "";
    fail(ErrorKind::kUserInput, "'content' is missing");
  }
  if (!found->is_array()) return text_member(message, "content");
  std::string joined;
  for (const OrderedJson& part : *found) {
    if (!part.is_object() || part.value("type", OrderedJson()) != "text") {
      fail(ErrorKind::kUserInput,
           "'content' has a part that is not text; only text can be learned");
    }
    joined += text_member(part, "text");
  }
  return joined;
}

// OpenAI writes a call's arguments as the text of a JSON object; templates print an object.
void check_call(OrderedJson& call, size_t number) {
  if (!call.is_object())
    fail(ErrorKind::kUserInput, "tool call {}: expected an object, found {}", number,
         call.type_name());
  const bool wrapped = call.contains("function");
  OrderedJson& function = wrapped ? call["function"] : call;
  if (!function.is_object() || !function.contains("name") || !function["name"].is_string())
    fail(ErrorKind::kUserInput, "tool call {}: expected a function with a name", number);
  const auto arguments = function.find("arguments");
  if (arguments == function.end() || !arguments->is_string()) return;
  const auto text = arguments->get<std::string>();
  if (is_blank(text)) {
    *arguments = OrderedJson::object();
    return;
  }
  OrderedJson parsed;
  try {
    parsed = parse_ordered_json(text, "arguments");
  } catch (const Error& error) {
    fail(ErrorKind::kUserInput, "tool call {}: 'arguments' hold no valid JSON: {}", number,
         clean_reason(error.what()));
  }
  *arguments = std::move(parsed);
}

void check_calls(OrderedJson& calls) {
  if (!calls.is_array())
    fail(ErrorKind::kUserInput, "'tool_calls': expected a list, found {}", calls.type_name());
  for (size_t i = 0; i < calls.size(); ++i) check_call(calls[i], i + 1);
}

std::string other_members(const OrderedJson& message) {
  OrderedJson others = OrderedJson::object();
  for (const auto& [key, value] : message.items()) {
    if (key != "role" && key != "content" && !value.is_null()) others[key] = value;
  }
  if (const auto calls = others.find("tool_calls"); calls != others.end()) {
    check_calls(*calls);
    if (calls->empty()) others.erase("tool_calls");
  }
  return others.empty() ? "" : others.dump();
}

text::Message read_message(const OrderedJson& message) {
  if (!message.is_object()) {
    fail(ErrorKind::kUserInput, "expected an object, found {}", message.type_name());
  }
  return {.role = checked_role(message),
          .content = content_text(message),
          .extra_json = other_members(message)};
}

bool matches(const OrderedJson& row) {
  return row.contains("messages");
}

Row read(const OrderedJson& row) {
  Row result;
  result.messages = messages_member(row, "messages");
  result.tools_json = tools_member(row);
  check_conversation(result.messages);
  return result;
}

}  // namespace

std::vector<text::Message> messages_member(const OrderedJson& row, const char* key) {
  const OrderedJson list = list_member(row, key);
  if (!list.is_array()) {
    fail(ErrorKind::kUserInput, "'{}': expected a list of messages, found {}", key,
         row.contains(key) ? list.type_name() : "nothing");
  }
  if (list.empty()) fail(ErrorKind::kUserInput, "'{}' is empty", key);
  std::vector<text::Message> messages;
  for (const OrderedJson& message : list) {
    try {
      messages.push_back(read_message(message));
    } catch (const Error& error) {
      fail(ErrorKind::kUserInput, "message {}: {}", messages.size() + 1, error.what());
    }
  }
  return messages;
}

const RowFormat kMessagesFormat = {"messages", "'messages'", matches, read};

}  // namespace toolkit::data

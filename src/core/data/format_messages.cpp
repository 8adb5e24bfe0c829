// {"messages": [{"role": "user", "content": "..."}, {"role": "assistant", ...}], "tools": [...]}
#include <algorithm>

#include "core/base/error.h"
#include "core/base/nearest.h"
#include "core/data/row_format.h"

namespace toolkit::data {
namespace {

std::string checked_role(const Json& message) {
  std::string role = text_member(message, "role");
  if (role == "developer") return "system";  // OpenAI's newer name; templates know the older one
  static const std::vector<std::string> kRoles = {"system", "user", "assistant", "tool"};
  if (std::find(kRoles.begin(), kRoles.end(), role) != kRoles.end()) return role;
  fail(ErrorKind::kUserInput, "unknown role '{}', expected system, user, assistant or tool.{}",
       role, did_you_mean(role, kRoles));
}

// A string, or a list of {"type": "text", "text": ...} parts.
std::string content_text(const Json& message) {
  const auto found = message.find("content");
  const bool calls = message.contains("tool_calls");
  if (found == message.end() || found->is_null()) {
    if (calls) return "";
    fail(ErrorKind::kUserInput, "'content' is missing");
  }
  if (!found->is_array()) return text_member(message, "content");
  std::string joined;
  for (const Json& part : *found) {
    if (!part.is_object() || part.value("type", Json()) != "text") {
      fail(ErrorKind::kUserInput,
           "'content' has a part that is not text; only text can be learned");
    }
    joined += text_member(part, "text");
  }
  return joined;
}

std::string other_members(const Json& message) {
  Json others = Json::object();
  for (const auto& [key, value] : message.items()) {
    if (key != "role" && key != "content" && !value.is_null()) others[key] = value;
  }
  return others.empty() ? "" : others.dump();
}

text::Message read_message(const Json& message) {
  if (!message.is_object()) {
    fail(ErrorKind::kUserInput, "expected an object, found {}", message.type_name());
  }
  return {.role = checked_role(message),
          .content = content_text(message),
          .extra_json = other_members(message)};
}

bool matches(const Json& row) {
  return row.contains("messages");
}

Row read(const Json& row) {
  Row result;
  result.messages = messages_member(row, "messages");
  result.tools_json = tools_member(row);
  check_conversation(result.messages);
  return result;
}

}  // namespace

std::vector<text::Message> messages_member(const Json& row, const char* key) {
  const auto found = row.find(key);
  if (found == row.end() || !found->is_array()) {
    fail(ErrorKind::kUserInput, "'{}': expected a list of messages, found {}", key,
         found == row.end() ? "nothing" : found->type_name());
  }
  if (found->empty()) fail(ErrorKind::kUserInput, "'{}' is empty", key);
  std::vector<text::Message> messages;
  for (const Json& message : *found) {
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

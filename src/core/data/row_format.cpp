#include "core/data/row_format.h"

#include <array>
#include <string_view>

#include "core/base/error.h"
#include "core/data/row_source.h"

namespace toolkit::data {
namespace {

// Most telling keys first: a row may carry more than one form's keys.
const std::array<const RowFormat*, 7> kFormats = {
    &kPreferenceFormat,       &kOpenAiPreferenceFormat, &kMessagesFormat, &kShareGptFormat,
    &kPromptCompletionFormat, &kAlpacaFormat,           &kTextFormat};
// A JSON value that a text column holds; `key` names the column in the reason.
OrderedJson json_of_text(const std::string& text, const char* key) {
  try {
    return parse_ordered_json(text, key);
  } catch (const Error& error) {
    fail(ErrorKind::kUserInput, "'{}' holds no valid JSON: {}", key, clean_reason(error.what()));
  }
}

}  // namespace

const RowFormat* find_format(const OrderedJson& row) {
  for (const RowFormat* format : kFormats) {
    if (format->matches(row)) return format;
  }
  return nullptr;
}

std::string expected_formats() {
  std::string names;
  for (const RowFormat* format : kFormats) {
    if (!names.empty()) names += format == kFormats.back() ? " or " : ", ";
    names += format->expected;
  }
  return names;
}

std::string optional_text_member(const OrderedJson& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return "";
  if (!found->is_string()) {
    fail(ErrorKind::kUserInput, "'{}': expected a string, found {}", key, found->type_name());
  }
  auto value = found->get<std::string>();
  if (value.find('\0') != std::string::npos) {
    fail(ErrorKind::kUserInput, "'{}' contains a NUL character", key);
  }
  return value;
}

std::string text_member(const OrderedJson& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) fail(ErrorKind::kUserInput, "'{}' is missing", key);
  if (found->is_null()) {
    fail(ErrorKind::kUserInput, "'{}': expected a string, found null", key);
  }
  return optional_text_member(object, key);
}

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n\f\v") == std::string::npos;
}

std::string tools_member(const OrderedJson& row) {
  const auto found = row.find("tools");
  if (found == row.end() || found->is_null()) return "";
  if (found->is_array()) return found->empty() ? "" : found->dump();
  if (!found->is_string()) {
    fail(ErrorKind::kUserInput, "'tools': expected an array, found {}", found->type_name());
  }
  const auto text = found->get<std::string>();
  if (is_blank(text)) return "";
  const OrderedJson tools = json_of_text(text, "tools");
  if (!tools.is_array()) {
    fail(ErrorKind::kUserInput, "'tools': the string does not hold a JSON array");
  }
  return tools.empty() ? "" : tools.dump();
}

OrderedJson list_member(const OrderedJson& row, const char* key) {
  const auto found = row.find(key);
  if (found == row.end()) return nullptr;
  if (!found->is_string()) return *found;
  const auto& text = found->get_ref<const std::string&>();
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string::npos && text[first] == '[' ? json_of_text(text, key) : *found;
}

void check_conversation(const std::vector<text::Message>& messages) {
  bool answered = false;
  for (size_t i = 0; i < messages.size(); ++i) {
    const text::Message& message = messages[i];
    const bool speaks = message.role == "user" || message.role == "assistant";
    const bool calls = message.extra_json.find("\"tool_calls\"") != std::string::npos;
    if (speaks && !calls && is_blank(message.content)) {
      fail(ErrorKind::kUserInput, "message {}: the {}'s content is empty", i + 1, message.role);
    }
    answered = answered || message.role == "assistant";
  }
  if (!answered) fail(ErrorKind::kUserInput, "no assistant message: nothing to learn from");
}

}  // namespace toolkit::data

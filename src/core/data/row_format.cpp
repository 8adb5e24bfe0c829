#include "core/data/row_format.h"

#include <array>
#include <string_view>

#include "core/base/error.h"

namespace toolkit::data {
namespace {

// Most telling keys first: a row may carry more than one form's keys.
const std::array<const RowFormat*, 6> kFormats = {&kPreferenceFormat, &kMessagesFormat,
                                                  &kShareGptFormat,   &kPromptCompletionFormat,
                                                  &kAlpacaFormat,     &kTextFormat};
constexpr size_t kLongestReason = 240;

// "row:1:17: expected ..." as "column 17: expected ...". The parser quotes what it read: that may
// be long, or not UTF-8.
std::string parser_reason(const std::string& message) {
  constexpr std::string_view kPrefix = "row:1:";
  const bool placed = message.starts_with(kPrefix);
  const std::string reason = placed ? "column " + message.substr(kPrefix.size()) : message;
  std::string clean;
  for (char c : reason.substr(0, kLongestReason)) {
    const auto byte = static_cast<unsigned char>(c);
    clean += byte >= 0x20 && byte < 0x7f ? c : '?';
  }
  return reason.size() > kLongestReason ? clean + "..." : clean;
}

}  // namespace

const RowFormat* find_format(const Json& row) {
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

Json parse_row(const std::string& line) {
  Json row;
  try {
    row = parse_json(line, "row");
  } catch (const Error& error) {
    fail(ErrorKind::kUserInput, "not valid JSON: {}", parser_reason(error.what()));
  }
  if (!row.is_object()) {
    fail(ErrorKind::kUserInput, "expected an object, found {} {}", row.is_array() ? "an" : "a",
         row.type_name());
  }
  return row;
}

std::string optional_text_member(const Json& object, const char* key) {
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

std::string text_member(const Json& object, const char* key) {
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

std::string tools_member(const Json& row) {
  const auto found = row.find("tools");
  if (found == row.end() || found->is_null()) return "";
  if (found->is_array()) return found->empty() ? "" : found->dump();
  if (!found->is_string()) {
    fail(ErrorKind::kUserInput, "'tools': expected an array, found {}", found->type_name());
  }
  const auto text = found->get<std::string>();
  if (is_blank(text)) return "";
  Json tools;
  try {
    tools = parse_json(text, "row");
  } catch (const Error& error) {
    fail(ErrorKind::kUserInput, "'tools' holds no valid JSON: {}", parser_reason(error.what()));
  }
  if (!tools.is_array()) {
    fail(ErrorKind::kUserInput, "'tools': the string does not hold a JSON array");
  }
  return tools.empty() ? "" : tools.dump();
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

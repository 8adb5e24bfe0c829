// {"conversations": [{"from": "human", "value": "..."}, {"from": "gpt", "value": "..."}], "system":
// "..."}
#include <array>
#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/data/row_format.h"

namespace toolkit::data {
namespace {

bool matches(const OrderedJson& row) {
  return row.contains("conversations");
}

const char* role_of(const std::string& speaker) {
  static constexpr std::array<std::pair<std::string_view, const char*>, 14> kSpeakers = {{
      {"human", "user"},
      {"user", "user"},
      {"gpt", "assistant"},
      {"assistant", "assistant"},
      {"chatgpt", "assistant"},
      {"bing", "assistant"},
      {"bard", "assistant"},
      {"model", "assistant"},
      {"function_call", "assistant"},
      {"system", "system"},
      {"tool", "tool"},
      {"observation", "tool"},
      {"function", "tool"},
      {"function_response", "tool"},
  }};
  for (const auto& [name, role] : kSpeakers) {
    if (speaker == name) return role;
  }
  fail(ErrorKind::kUserInput, "unknown speaker '{}', expected human, gpt, system or tool", speaker);
}

text::Message read_turn(const OrderedJson& turn) {
  if (!turn.is_object()) {
    fail(ErrorKind::kUserInput, "expected an object, found {}", turn.type_name());
  }
  const bool named_role = turn.contains("role") && !turn.contains("from");
  return {.role = role_of(text_member(turn, named_role ? "role" : "from")),
          .content = text_member(turn, named_role ? "content" : "value"),
          .extra_json = ""};
}

Row read(const OrderedJson& row) {
  const OrderedJson turns = list_member(row, "conversations");
  if (!turns.is_array() || turns.empty()) {
    fail(ErrorKind::kUserInput, "'conversations': expected a list of turns, found {}",
         turns.is_array() ? "an empty one" : turns.type_name());
  }
  Row result;
  const std::string system = optional_text_member(row, "system");
  if (!is_blank(system))
    result.messages.push_back({.role = "system", .content = system, .extra_json = ""});
  int number = 0;
  for (const OrderedJson& turn : turns) {
    ++number;
    try {
      result.messages.push_back(read_turn(turn));
    } catch (const Error& error) {
      fail(ErrorKind::kUserInput, "turn {}: {}", number, error.what());
    }
  }
  result.tools_json = tools_member(row);
  check_conversation(result.messages);
  return result;
}

}  // namespace

const RowFormat kShareGptFormat = {"sharegpt", "'conversations'", matches, read};

}  // namespace toolkit::data

// {"instruction": "...", "input": "...", "output": "...", "system": "...", "history": [["q", "a"],
// ...]} (Taori et al. 2023, Stanford Alpaca); only instruction and output must be there.
#include "core/base/error.h"
#include "core/data/row_format.h"

namespace toolkit::data {
namespace {

bool matches(const OrderedJson& row) {
  return row.contains("instruction");
}

void append_history(const OrderedJson& row, std::vector<text::Message>& messages) {
  const auto history = row.find("history");
  if (history == row.end() || history->is_null()) return;
  if (!history->is_array()) {
    fail(ErrorKind::kUserInput, "'history': expected a list of [question, answer], found {}",
         history->type_name());
  }
  for (const OrderedJson& turn : *history) {
    if (!turn.is_array() || turn.size() != 2 || !turn[0].is_string() || !turn[1].is_string()) {
      fail(ErrorKind::kUserInput, "'history': expected pairs [question, answer] of strings");
    }
    messages.push_back({.role = "user", .content = turn[0].get<std::string>(), .extra_json = ""});
    messages.push_back(
        {.role = "assistant", .content = turn[1].get<std::string>(), .extra_json = ""});
  }
}

Row read(const OrderedJson& row) {
  Row result;
  const std::string system = optional_text_member(row, "system");
  if (!is_blank(system))
    result.messages.push_back({.role = "system", .content = system, .extra_json = ""});
  append_history(row, result.messages);
  std::string question = text_member(row, "instruction");
  const std::string input = optional_text_member(row, "input");
  if (!is_blank(input)) question += (question.empty() ? "" : "\n\n") + input;
  if (is_blank(question)) fail(ErrorKind::kUserInput, "'instruction' is empty");
  const std::string answer = text_member(row, "output");
  if (is_blank(answer)) fail(ErrorKind::kUserInput, "'output' is empty");
  result.messages.push_back({.role = "user", .content = question, .extra_json = ""});
  result.messages.push_back({.role = "assistant", .content = answer, .extra_json = ""});
  result.tools_json = tools_member(row);
  check_conversation(result.messages);
  return result;
}

}  // namespace

const RowFormat kAlpacaFormat = {"alpaca", "'instruction' with 'output'", matches, read};

}  // namespace toolkit::data

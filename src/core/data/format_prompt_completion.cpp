// {"prompt": "...", "completion": "...", "system": "..."}; prompt and completion may also be lists
// of messages.
#include "core/base/error.h"
#include "core/data/row_format.h"

namespace toolkit::data {
namespace {

bool matches(const OrderedJson& row) {
  return row.contains("prompt");
}

void append(const OrderedJson& row, const char* key, const char* role,
            std::vector<text::Message>& messages) {
  if (row.contains(key) && row[key].is_array()) {
    for (text::Message& message : messages_member(row, key)) messages.push_back(std::move(message));
  } else {
    const std::string text = text_member(row, key);
    if (is_blank(text)) fail(ErrorKind::kUserInput, "'{}' is empty", key);
    messages.push_back({.role = role, .content = text, .extra_json = ""});
  }
}

Row read(const OrderedJson& row) {
  Row result;
  const std::string system = optional_text_member(row, "system");
  if (!is_blank(system))
    result.messages.push_back({.role = "system", .content = system, .extra_json = ""});
  append(row, "prompt", "user", result.messages);
  append(row, "completion", "assistant", result.messages);
  result.tools_json = tools_member(row);
  check_conversation(result.messages);
  return result;
}

}  // namespace

const RowFormat kPromptCompletionFormat = {"prompt/completion", "'prompt' with 'completion'",
                                           matches, read};

}  // namespace toolkit::data

// {"prompt": "...", "completion": "..."}; either may also be a list of messages.
#include "core/base/error.h"
#include "core/data/row_format.h"

namespace toolkit::data {
namespace {

bool matches(const Json& row) {
  return row.contains("prompt");
}

void append(const Json& row, const char* key, const char* role,
            std::vector<text::Message>& messages) {
  if (row.contains(key) && row[key].is_array()) {
    for (text::Message& message : messages_member(row, key)) messages.push_back(std::move(message));
  } else {
    messages.push_back({.role = role, .content = text_member(row, key), .extra_json = ""});
  }
}

Row read(const Json& row) {
  Row result;
  append(row, "prompt", "user", result.messages);
  append(row, "completion", "assistant", result.messages);
  result.tools_json = tools_member(row);
  if (is_blank(result.messages.front().content)) fail(ErrorKind::kUserInput, "'prompt' is empty");
  if (is_blank(result.messages.back().content))
    fail(ErrorKind::kUserInput, "'completion' is empty");
  check_conversation(result.messages);
  return result;
}

}  // namespace

const RowFormat kPromptCompletionFormat = {"prompt/completion", "'prompt' with 'completion'",
                                           matches, read};

}  // namespace toolkit::data

// {"prompt": "...", "chosen": "...", "rejected": "..."} (Rafailov et al. 2023, DPO): prompt, chosen
// and rejected may be text or lists of messages; chosen and rejected may also be whole
// conversations that begin with the same messages. And the same as OpenAI's API has it:
// {"input": {"messages": [...]}, "preferred_output": [...], "non_preferred_output": [...]}.
#include <algorithm>

#include "core/base/error.h"
#include "core/data/row_format.h"

namespace toolkit::data {
namespace {

using Messages = std::vector<text::Message>;

bool matches(const OrderedJson& row) {
  return row.contains("chosen") || row.contains("rejected");
}

Messages member(const OrderedJson& row, const char* key, const char* role) {
  const auto found = row.find(key);
  if (found != row.end() && found->is_array()) return messages_member(row, key);
  if (found != row.end() && found->is_object())
    return messages_member(OrderedJson{{key, {*found}}}, key);
  text::Message message{.role = role, .content = text_member(row, key), .extra_json = ""};
  if (is_blank(message.content)) fail(ErrorKind::kUserInput, "'{}' is empty", key);
  return {message};
}

// A whole conversation repeats the prompt; an answer begins with what the assistant says.
bool is_whole(const Messages& answer) {
  return answer.front().role == "user" || answer.front().role == "system";
}

Messages conversation(const Messages& prompt, bool prompt_is_list, const Messages& answer,
                      const std::string& system) {
  Messages all = answer;
  if (!is_whole(answer)) {
    all.insert(all.begin(), prompt.begin(), prompt.end());
  } else if (prompt_is_list && !(answer.size() > prompt.size() &&
                                 std::equal(prompt.begin(), prompt.end(), answer.begin()))) {
    fail(ErrorKind::kUserInput,
         "'chosen' and 'rejected' are whole conversations, but do not begin with 'prompt'");
  }
  if (!is_blank(system) && all.front().role != "system")
    all.insert(all.begin(), {.role = "system", .content = system, .extra_json = ""});
  return all;
}

void check_answers(const Row& row) {
  check_conversation(row.messages);
  check_conversation(row.rejected);
  const auto shared = static_cast<size_t>(row.prompt_messages);
  if (row.messages.size() == shared || row.rejected.size() == shared) {
    fail(ErrorKind::kUserInput, "{}",
         row.messages == row.rejected ? "'chosen' and 'rejected' are the same"
                                      : "one of 'chosen' and 'rejected' only begins the other");
  }
  if (row.prompt_messages == 0)
    fail(ErrorKind::kUserInput,
         "'prompt' is missing, and 'chosen' and 'rejected' do not begin with the same message");
  for (const Messages* answer : {&row.messages, &row.rejected}) {
    const bool spoken = std::any_of(answer->begin() + row.prompt_messages, answer->end(),
                                    [](const text::Message& m) { return m.role == "assistant"; });
    if (!spoken)
      fail(ErrorKind::kUserInput, "'{}' has no answer of the assistant behind the prompt",
           answer == &row.messages ? "chosen" : "rejected");
  }
}

Row read(const OrderedJson& row) {
  const auto found = row.find("prompt");
  const bool prompted = found != row.end() && !found->is_null();
  const Messages prompt = prompted ? member(row, "prompt", "user") : Messages();
  const bool prompt_is_list = prompted && found->is_array();
  const std::string system = optional_text_member(row, "system");
  const auto with = [&](const char* key) {
    return conversation(prompt, prompt_is_list, member(row, key, "assistant"), system);
  };
  Row result;
  result.messages = with("chosen");
  result.rejected = with("rejected");
  const auto differ = std::mismatch(result.messages.begin(), result.messages.end(),
                                    result.rejected.begin(), result.rejected.end());
  result.prompt_messages = static_cast<int>(differ.first - result.messages.begin());
  result.tools_json = tools_member(row);
  check_answers(result);
  return result;
}

bool matches_openai(const OrderedJson& row) {
  return row.contains("preferred_output") || row.contains("non_preferred_output");
}

Row read_openai(const OrderedJson& row) {
  const auto member_of = [](const OrderedJson& object, const char* key) -> const OrderedJson& {
    const auto found = object.find(key);
    if (found == object.end()) fail(ErrorKind::kUserInput, "'{}' is missing", key);
    return *found;
  };
  const OrderedJson& input = member_of(row, "input");
  if (!input.is_object())
    fail(ErrorKind::kUserInput, "'input': expected an object with 'messages', found {}",
         input.type_name());
  OrderedJson same = {{"prompt", member_of(input, "messages")},
                      {"chosen", member_of(row, "preferred_output")},
                      {"rejected", member_of(row, "non_preferred_output")}};
  if (const auto tools = input.find("tools"); tools != input.end()) same["tools"] = *tools;
  return read(same);
}

}  // namespace

const RowFormat kOpenAiPreferenceFormat = {
    "preference", "'input' with 'preferred_output' and 'non_preferred_output'", matches_openai,
    read_openai};

const RowFormat kPreferenceFormat = {"preference", "'prompt' with 'chosen' and 'rejected'", matches,
                                     read};

}  // namespace toolkit::data

#pragma once

#include <string>
#include <vector>

#include "core/base/ordered_json.h"
#include "core/data/chat_rows.h"

namespace toolkit::data {

/// One form a row may have. `read` throws Error(kUserInput) whose text is the reason the row is
/// bad.
struct RowFormat {
  const char* name;                         // "messages"
  const char* expected;                     // for messages: which keys make a row of this form
  bool (*matches)(const OrderedJson& row);  // decides by the keys alone
  Row (*read)(const OrderedJson& row);
};

extern const RowFormat kMessagesFormat, kPromptCompletionFormat, kTextFormat, kAlpacaFormat,
    kShareGptFormat, kPreferenceFormat, kOpenAiPreferenceFormat;

/// The form of this row, or null.
const RowFormat* find_format(const OrderedJson& row);

/// "messages, conversations, ...": what a row may look like, for error texts.
std::string expected_formats();

// --- what the formats share; each throws Error(kUserInput) with a reason

/// The string under `key`; missing, null or another type is an error, and so is a NUL character.
std::string text_member(const OrderedJson& object, const char* key);

/// The same, but a missing or null member is "".
std::string optional_text_member(const OrderedJson& object, const char* key);

/// True if only white space (or nothing) stands in it.
bool is_blank(const std::string& text);

/// The member "tools" as the text of a JSON array: an array, or a string that holds one; "" if
/// missing.
std::string tools_member(const OrderedJson& row);

/// The member as it is, or what its text holds if that is a JSON list (a column of a CSV file);
/// null if missing.
OrderedJson list_member(const OrderedJson& row, const char* key);

/// Messages in OpenAI's form; `where` names the list in error texts.
std::vector<text::Message> messages_member(const OrderedJson& row, const char* key);

/// Errors for a conversation nothing can be learned from: no assistant turn, or an empty turn.
void check_conversation(const std::vector<text::Message>& messages);

}  // namespace toolkit::data

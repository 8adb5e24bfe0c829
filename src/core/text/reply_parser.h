#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/json_scanner.h"
#include "core/text/tool_calls.h"

namespace toolkit::text {

/// More of a call: its name comes once, with its first delta; `arguments` are pieces of one JSON
/// object's text.
struct ToolCallDelta {
  int index = 0;  // of the call in the answer
  std::string name;
  std::string arguments;
};

/// What a piece of text turned out to be.
struct ReplyDelta {
  std::string content, reasoning;
  std::vector<ToolCallDelta> tool_calls;

  bool empty() const { return content.empty() && reasoning.empty() && tool_calls.empty(); }
};

struct ReplyOptions {
  std::vector<Tool> tools;    // offered; none: no calls are looked for
  bool reasoning = true;      // <think>...</think> before the answer is told apart
  bool in_reasoning = false;  // the prompt ended with <think>
};

/// Takes apart what a model says, while it says it: reasoning, content, and calls of the offered
/// tools in every form of ToolCallForm, as one or as a list, and Qwen3-Coder's
/// <function=name><parameter=key>. What begins like a call and is none stays content. The arguments
/// of a call whose name and form are clear are passed on as they come; should they stop being JSON,
/// the rest is content.
class ReplyParser {
 public:
  explicit ReplyParser(ReplyOptions options);

  ReplyDelta push(std::string_view text);
  ReplyDelta finish();
  int call_count() const { return calls_; }

 private:
  enum class State { kBegin, kReasoning, kContent, kCall, kArguments, kObjectEnd, kNextCall };

  bool step(bool last);
  bool begin(bool last);
  bool reason(bool last);
  bool say(bool last);
  bool open_call(bool last);
  bool open_object(bool last);
  bool open_functions(bool last);
  bool pass_arguments();
  bool end_object(bool last);
  bool next_call(bool last);

  bool starts_with_or_may(std::string_view text, std::string_view mark, bool last) const;
  bool no_call();
  void enter_call(std::string_view mark, size_t size);
  void consume(size_t size);
  void say_text(std::string_view text);
  const Tool* find_tool(const std::string& name) const;
  void add_call(const std::string& name, std::string arguments);

  ReplyOptions options_;
  State state_ = State::kBegin;
  ReplyDelta delta_;
  std::string pending_;  // not yet understood
  std::string spaces_;   // white space at the end of what was said: dropped before a call
  std::string raw_;      // the text of a call so far, in case it is none
  std::string mark_;     // what opened the call: a tag, or "" for an answer that is a call
  bool listed_ = false, called_ = false;  // inside of [...]; since the mark a call was found
  bool began_ = false;  // something was said: reasoning, or content since the last call
  std::optional<JsonScanner> scanner_;
  int calls_ = 0;
};

}  // namespace toolkit::text

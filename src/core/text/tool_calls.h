#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/chat_template.h"
#include "core/text/tokenizer.h"

namespace toolkit::text {

/// A function that a model may call.
struct Tool {
  std::string name, description;
  std::string parameters;  // JSON Schema of an object, as text; "": any object
};

/// The ways models are trained to write a call.
enum class ToolCallForm {
  kTagged,    // <tool_call>\n{"name": ..., "arguments": {...}}\n</tool_call> (Hermes, Qwen)
  kBareJson,  // {"name": ..., "parameters": {...}} as the whole answer (Llama 3)
  kMistral    // [TOOL_CALLS][{"name": ..., "arguments": {...}}]
};

/// The form that a chat template asks for, told from its text; kTagged for one that names none.
ToolCallForm tool_call_form(std::string_view chat_template);

/// Whether a template shows tools to the model at all.
bool template_takes_tools(std::string_view chat_template);

/// For templates that do not: the tools and how to call one stand in the system message (in the
/// words of Hermes' function calling format), earlier calls of the assistant in its content, and
/// messages of the role "tool" become the user's, in <tool_response> marks. `tools_json` is
/// OpenAI's list; without tools only the messages are changed. Throws Error(kUserInput) for a
/// malformed list or message.
std::vector<Message> with_tools_in_text(const std::vector<Message>& messages,
                                        const std::string& tools_json);

struct ToolCallGrammar {
  ToolCallForm form = ToolCallForm::kTagged;
  bool several = false;       // one call after another, not exactly one
  bool in_reasoning = false;  // the prompt ended inside of <think>: that ends first
};

/// A Lark grammar (Grammars::lark) of an answer that calls one of the tools, its arguments by the
/// function's schema; keywords of a schema that cannot be kept to are ignored. Throws
/// Error(kUserInput) for no tools or parameters that are not JSON.
std::string tool_call_grammar(std::span<const Tool> tools, const ToolCallGrammar& options,
                              const Tokenizer& tokenizer);

}  // namespace toolkit::text

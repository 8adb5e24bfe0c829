#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/ordered_json.h"
#include "core/text/chat_template.h"
#include "core/text/tool_calls.h"
#include "engine/batch/request.h"
#include "projects/serve/members.h"

namespace toolkit::serve {

/// What is asked of a model that writes text, whichever API it came by.
struct TextRequest {
  std::string model;
  std::vector<text::Message> messages;  // of a chat
  std::string tools_json;               // OpenAI's list, for the template; "" without tools
  std::vector<text::Tool> tools;
  enum class ToolChoice { kNone, kAuto, kRequired } tool_choice = ToolChoice::kNone;
  std::string only_tool;  // of kRequired: the one that must be called; "": any

  enum class Format { kText, kJsonObject, kJsonSchema } format = Format::kText;
  std::string schema;
  /// Whether the model is to reason before it answers; empty: as its template does by itself.
  std::optional<bool> think;
  std::string template_json;  // further variables of the template, as a JSON object; ""

  engine::SamplingOptions sampling;
  std::optional<int> max_tokens;  // empty: as many as fit
  std::vector<std::string> stop_texts;
  bool ignore_stop_ids = false;
  int top_logprobs = -1;  // see BatchRequest
  int count = 1;          // answers
  bool stream = false, include_usage = false;
};

/// "seed", or a new one.
uint64_t seed_of(const Members& members);

inline constexpr size_t kMostMessages = 4096, kMostTools = 256, kMostStopTexts = 16;

/// The messages of a request: roles, contents as text or text parts, tool calls, their results.
/// `arguments` of a call may be JSON text (OpenAI) or an object (Ollama); templates get the object.
/// Throws ApiError(400).
std::vector<text::Message> read_messages(const OrderedJson& list, const std::string& where);

/// Sets tools, tools_json and tool_choice (auto) from a list of {"type": "function", "function":
/// {name, description, parameters}}. Throws ApiError(400).
void read_tools(const OrderedJson& list, TextRequest& request);

/// A schema for the answer; only its size is checked here. Throws ApiError(400).
void set_schema(const OrderedJson& schema, const std::string& where, TextRequest& request);

/// Body of POST /v1/chat/completions.
TextRequest read_openai_chat(const OrderedJson& body);
/// What /v1/completions has in common with it: all but the prompt.
void read_openai_sampling(const Members& body, TextRequest& request);

/// Body of POST /api/chat and what /api/generate has in common with it (model, format, options,
/// stream).
TextRequest read_ollama_chat(const OrderedJson& body);
/// The model of "model", or of "name", where Ollama's own program has it. Throws ApiError(400).
std::string read_ollama_model(const Members& body);
void read_ollama_common(const Members& body, TextRequest& request);

}  // namespace toolkit::serve

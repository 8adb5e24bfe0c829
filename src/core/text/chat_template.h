#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace toolkit::text {

struct Message {
  std::string role;  // "system", "user", "assistant", "tool"
  std::string content;
  std::string
      extra_json;  // other members of the message (tool_calls, name, ...) as a JSON object, or ""

  bool operator==(const Message&) const = default;
};

struct RenderOptions {
  bool add_generation_prompt = false;
  std::string tools_json;       // JSON array, or ""
  std::string extra_json = "";  // further template variables (enable_thinking, ...), JSON object
};

struct RenderedChat {
  std::string text;
  /// Byte ranges [begin, end) of `text` that the assistant says, the end-of-turn mark included:
  /// what training supervises. One per assistant turn, in order.
  std::vector<std::pair<size_t, size_t>> assistant;
};

/// A model's Jinja chat template, through the Rust crate `minijinja`, with Python's string methods,
/// `raise_exception`, `strftime_now` and `{% generation %}`; limited in steps and output.
class ChatTemplate {
 public:
  /// bos/eos are the token texts the template may use. Throws Error(kUserInput) with line and
  /// reason.
  ChatTemplate(std::string source, std::string bos_token, std::string eos_token);
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  std::string render(const std::vector<Message>& messages, const RenderOptions& options = {}) const;

  /// Renders and marks every assistant turn by template offsets: from `{% generation %}` where the
  /// template has it, else by rendering each prefix of the conversation with and without the
  /// generation prompt. Never by searching for a string. Throws Error(kUnsupported) if the template
  /// does not render prefixes consistently.
  RenderedChat render_supervised(const std::vector<Message>& messages,
                                 const RenderOptions& options = {}) const;

  const std::string& source() const { return source_; }

 private:
  std::string source_, bos_token_, eos_token_;
  void* handle_ = nullptr;
};

/// The template used when a model has none (ChatML).
extern const char* const kChatMlTemplate;

}  // namespace toolkit::text

#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/generate/generator.h"
#include "projects/generate/config.h"

namespace toolkit::generate {

/// A chat with its history. Turns that no longer fit the model's context are dropped from the
/// front.
class Conversation {
 public:
  Conversation(const engine::LanguageModel& model, const ChatConfig& config);

  struct Answer {
    engine::GenerateResult result;
    int dropped_messages = 0;  // of the oldest, to make room
  };

  /// The model's answer to what the user says. An interrupted answer stays in the history as far as
  /// it got; a turn that fails leaves the history as it was.
  Answer ask(const std::string& text, const std::function<void(std::string_view)>& on_text,
             const std::function<bool()>& interrupted);

  void reset();                              // forgets the turns, keeps the system message
  void set_system(const std::string& text);  // and starts anew; empty: none

  const std::vector<text::Message>& messages() const { return messages_; }
  /// One JSONL row in the form that finetune reads.
  std::string to_row() const;

 private:
  std::vector<int32_t> prompt_that_fits(int& dropped);

  const engine::LanguageModel& model_;
  ChatConfig config_;
  engine::Generator generator_;
  std::vector<text::Message> messages_;
  int turns_ = 0;  // a fresh draw each turn, the same ones for the same seed
};

}  // namespace toolkit::generate

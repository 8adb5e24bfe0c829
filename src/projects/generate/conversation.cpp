#include "projects/generate/conversation.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace toolkit::generate {

namespace {
constexpr int kLeastRoom = 64;  // tokens an answer should have room for
}

Conversation::Conversation(const engine::LanguageModel& model, const ChatConfig& config)
    : model_(model), config_(config), generator_(model) {
  reset();
}

void Conversation::reset() {
  messages_.clear();
  if (!config_.system.empty()) messages_.push_back({.role = "system", .content = config_.system});
}

void Conversation::set_system(const std::string& text) {
  config_.system = text;
  reset();
}

std::vector<int32_t> Conversation::prompt_that_fits(int& dropped) {
  const int context = model_.decoder->config().max_positions;
  const int room = std::min({kLeastRoom, config_.max_tokens, context / 2});
  while (true) {
    const std::string text = model_.chat.render(messages_, {.add_generation_prompt = true});
    std::vector<int32_t> ids = model_.tokenizer->encode(text, /*add_special=*/false).ids;
    if (static_cast<int>(ids.size()) + room <= context) return ids;
    const size_t first = messages_.front().role == "system" ? 1 : 0;
    if (messages_.size() < first + 3)
      fail(ErrorKind::kUserInput, "this message alone is {} tokens; the model's context holds {}",
           ids.size(), context);
    const auto begin = messages_.begin() + static_cast<std::ptrdiff_t>(first);
    messages_.erase(begin, begin + 2);
    dropped += 2;
  }
}

Conversation::Answer Conversation::ask(const std::string& text,
                                       const std::function<void(std::string_view)>& on_text,
                                       const std::function<bool()>& interrupted) {
  const std::vector<text::Message> before = messages_;
  try {
    Answer answer;
    messages_.push_back({.role = "user", .content = text});
    const std::vector<int32_t> prompt = prompt_that_fits(answer.dropped_messages);
    engine::SamplingOptions sampling = sampling_options(config_.sampling);
    sampling.seed += static_cast<uint64_t>(turns_++) << 32;
    answer.result = generator_.generate(prompt, {.sampling = sampling,
                                                 .max_tokens = config_.max_tokens,
                                                 .on_text = on_text,
                                                 .interrupted = interrupted});
    messages_.push_back({.role = "assistant", .content = answer.result.text});
    return answer;
  } catch (...) {
    messages_ = before;
    throw;
  }
}

std::string Conversation::to_row() const {
  nlohmann::json list = nlohmann::json::array();
  for (const text::Message& message : messages_)
    list.push_back({{"role", message.role}, {"content", message.content}});
  return nlohmann::json{{"messages", list}}.dump(-1, ' ', false,
                                                 nlohmann::json::error_handler_t::replace) +
         "\n";
}

}  // namespace toolkit::generate

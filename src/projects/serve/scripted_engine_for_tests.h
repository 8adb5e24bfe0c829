#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/language_model.h"
#include "projects/serve/text_engine.h"

namespace toolkit::serve::testing {

/// The tiny model of the fixtures with its tokenizer and template.
inline std::string tiny_model_path() {
  return (std::filesystem::path(TOOLKIT_FIXTURES) / "models" / "llama").string();
}

/// What a ScriptedEngine says and hears.
struct Script {
  std::mutex mutex;
  std::function<std::vector<engine::BatchEvent>(const engine::BatchRequest&)> say;
  std::vector<engine::BatchRequest> requests;  // those taken
  std::vector<uint64_t> cancelled;
  bool full = false;  // the queue
  bool fast = false;  // how the engine was loaded
  engine::BatchState state;
  std::string chat_template;  // "": the model's own
  std::vector<std::string> adapters;
};

/// For tests: an engine that says what the test wants, at once and on the caller's thread. An
/// answer without an end goes on until it is cancelled.
class ScriptedEngine : public TextEngine {
 public:
  explicit ScriptedEngine(std::shared_ptr<Script> script)
      : script_(std::move(script)), model_(engine::open_language_model(tiny_model_path()).model) {
    if (!script_->chat_template.empty())
      model_.chat = text::ChatTemplate(script_->chat_template, "", "");
  }

  std::optional<uint64_t> submit(engine::BatchRequest request,
                                 engine::BatchListener listener) override {
    std::vector<engine::BatchEvent> events;
    uint64_t id = 0;
    {
      const std::lock_guard lock(script_->mutex);
      if (script_->full) return std::nullopt;
      script_->requests.push_back(request);
      id = script_->requests.size();
      events = script_->say(request);
    }
    const bool ends = !events.empty() && events.back().finish;
    for (const engine::BatchEvent& event : events) listener(event);
    const std::lock_guard lock(script_->mutex);
    if (!ends) waiting_.push_back(std::move(listener));
    return id;
  }
  void cancel(uint64_t id) override {
    std::deque<engine::BatchListener> ended;
    {
      const std::lock_guard lock(script_->mutex);
      script_->cancelled.push_back(id);
      ended.swap(waiting_);
    }
    for (const auto& listener : ended) listener({.finish = engine::FinishReason::kCancelled});
  }
  void between_steps(const std::function<void()>& work) override { work(); }
  void load_adapter(const std::string& name, const std::filesystem::path&) override {
    const std::lock_guard lock(script_->mutex);
    script_->adapters.push_back(name);
  }
  void unload_adapter(const std::string& name) override {
    const std::lock_guard lock(script_->mutex);
    std::erase(script_->adapters, name);
  }
  std::vector<std::string> adapters() const override {
    const std::lock_guard lock(script_->mutex);
    return script_->adapters;
  }
  void drain(double) override { cancel(0); }
  bool healthy() const override { return true; }
  engine::BatchState state() const override { return script_->state; }
  const engine::LanguageModel& model() const override { return model_; }
  int context_tokens() const override { return 1000; }

 private:
  std::shared_ptr<Script> script_;
  engine::LanguageModel model_;
  std::deque<engine::BatchListener> waiting_;
};

/// Events of one answer that comes in these pieces.
inline std::vector<engine::BatchEvent> says(
    const std::vector<std::string>& pieces,
    engine::FinishReason reason = engine::FinishReason::kStopToken) {
  std::vector<engine::BatchEvent> events;
  engine::BatchFigures figures{.prompt_tokens = 5, .cached_tokens = 2, .generation_seconds = 0.5};
  for (const std::string& piece : pieces) {
    ++figures.generated_tokens;
    events.push_back({.text = piece, .figures = figures});
  }
  events.push_back({.finish = reason, .figures = figures});
  return events;
}

}  // namespace toolkit::serve::testing

#pragma once

#include <doctest/doctest.h>

#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/checkpoint/adapter.h"
#include "engine/adapt.h"
#include "engine/batch/batch_engine.h"
#include "engine/module_pattern.h"
#include "mlx/mlx.h"

namespace toolkit::engine {

/// For tests: what one listener heard.
struct Heard {
  std::string text;
  std::vector<TokenReport> tokens;
  std::optional<FinishReason> finish;
  std::string error;
  BatchFigures figures;
  int events = 0;
};

/// For tests: listens to several requests; must outlive the engine or wait for all of them.
class Collector {
 public:
  BatchListener listener(size_t which) {
    return [this, which](const BatchEvent& event) {
      const std::lock_guard lock(mutex_);
      Heard& heard = heard_[which];
      heard.text += event.text;
      heard.tokens.insert(heard.tokens.end(), event.tokens.begin(), event.tokens.end());
      heard.finish = event.finish;
      heard.error = event.error;
      heard.figures = event.figures;
      ++heard.events;
      changed_.notify_all();
    };
  }
  /// Waits for the end of a request.
  Heard wait(size_t which) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return heard_[which].finish.has_value(); });
    return heard_[which];
  }
  /// Waits for its first event.
  void wait_begun(size_t which) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return heard_[which].events > 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<size_t, Heard> heard_;
};

inline LanguageModel tiny_language_model() {
  return load_language_model(
      (std::filesystem::path(TOOLKIT_FIXTURES) / "models" / "llama").string(),
      tensor::Compute::kFloat32);
}

inline std::vector<int32_t> tiny_prompt(int length, int start = 10) {
  std::vector<int32_t> ids;
  for (int i = 0; i < length; ++i) ids.push_back(start + (i * 7) % 200);
  return ids;
}

/// Ids of a finished answer that was asked for with top_logprobs.
inline std::vector<int32_t> ids_of(const Heard& heard) {
  std::vector<int32_t> ids;
  for (const TokenReport& report : heard.tokens) ids.push_back(report.token.id);
  return ids;
}

/// For tests: so many tokens whatever they are.
inline BatchRequest greedy(int prompt_length, int tokens, int start = 10) {
  return {.prompt = tiny_prompt(prompt_length, start),
          .max_tokens = tokens,
          .ignore_stop_ids = true,
          .top_logprobs = 2};
}

inline BatchRequest sampled(int prompt_length, int tokens, uint64_t seed) {
  BatchRequest request = greedy(prompt_length, tokens, 10 + static_cast<int>(seed) % 50);
  request.sampling = {.temperature = 0.9, .top_p = 0.95, .repetition_penalty = 1.1, .seed = seed};
  return request;
}

/// What a request says alone.
inline Heard alone(BatchEngine& engine, const BatchRequest& request) {
  Collector collector;
  REQUIRE(engine.submit(request, collector.listener(0)));
  return collector.wait(0);
}

/// What the engine says of itself once so many requests have ended.
inline BatchState state_after(BatchEngine& engine, uint64_t requests) {
  BatchState state = engine.state();
  while (state.requests_finished + state.requests_cancelled < requests) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    state = engine.state();
  }
  return state;
}

/// Writes a random adapter for the tiny model, strong enough to change what it says.
inline void write_adapter(const std::filesystem::path& folder, uint64_t seed, bool magnitudes) {
  const LanguageModel model = tiny_language_model();
  attach_lora(*model.decoder, {.rank = 4, .scale = 4.0f, .magnitudes = magnitudes});
  checkpoint::Adapter adapter = adapter_form(*model.decoder);
  const auto random = [&](const mx::array& like) {
    return mx::random::normal(like.shape(), mx::float32, 0.0f, 0.3f, mx::random::key(seed++));
  };
  std::map<std::string, mx::array> trained;
  for (const LayerModule& module : layer_modules(*model.decoder)) {
    const nn::Linear& layer = *module.linear;
    trained.emplace(module.path + ".lora_a", random(layer.lora->a));
    trained.emplace(module.path + ".lora_b", random(layer.lora->b));
    if (layer.dora) trained.emplace(module.path + ".m", layer.dora->magnitude);
  }
  adapter.tensors = adapter_tensors(*model.decoder, trained);
  checkpoint::save_adapter(folder, adapter);
}

}  // namespace toolkit::engine

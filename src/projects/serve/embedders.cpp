#include "projects/serve/embedders.h"

#include <algorithm>

#include "core/base/elapsed.h"
#include "core/tensor/backend.h"

namespace toolkit::serve {

namespace {
constexpr size_t kMostLoaded = 2;
}  // namespace

bool Embedders::use(const std::string& encoder, std::optional<double> keep_alive, Then then,
                    Failed failed) {
  return thread_.add(
      [this, encoder, keep_alive, then = std::move(then), failed = std::move(failed)] {
        try {
          const auto begin = Clock::now();
          const engine::TextEmbedder& embedder = load(encoder, keep_alive);
          then(embedder, seconds_since(begin));
        } catch (...) {
          failed(std::current_exception());
        }
      });
}

bool Embedders::use(ModelLease model, Then then, Failed failed) {
  const auto held = std::make_shared<ModelLease>(std::move(model));
  return thread_.add([held, then = std::move(then), failed = std::move(failed)] {
    try {
      TextEngine& engine = held->engine();
      const auto embedder = engine::make_text_embedder(
          engine.model(), [&](const std::function<void()>& pass) { engine.between_steps(pass); });
      then(*embedder, 0.0);
    } catch (...) {
      failed(std::current_exception());
    }
  });
}

void Embedders::unload(const std::string& encoder) {
  const std::lock_guard lock(mutex_);
  if (const auto found = loaded_.find(encoder); found != loaded_.end())
    found->second.keep_alive_seconds = 0;
}

std::vector<LoadedInfo> Embedders::loaded() const {
  const std::lock_guard lock(mutex_);
  std::vector<LoadedInfo> all;
  for (const auto& [base, encoder] : loaded_) {
    all.push_back({.base = base, .size_bytes = encoder.size_bytes});
    if (encoder.keep_alive_seconds >= 0)
      all.back().expires_in_seconds =
          std::max(0.0, encoder.keep_alive_seconds - seconds_since(encoder.used));
  }
  return all;
}

const engine::TextEmbedder& Embedders::load(const std::string& base,
                                            std::optional<double> keep_alive) {
  if (!loaded_.contains(base)) {
    if (loaded_.size() >= kMostLoaded) {
      const std::lock_guard lock(mutex_);
      loaded_.erase(std::min_element(
          loaded_.begin(), loaded_.end(),
          [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
    }
    const int64_t bytes = options_.check_room(base);
    Encoder encoder{options_.load(base), bytes, options_.keep_alive_seconds};
    const std::lock_guard lock(mutex_);
    loaded_.emplace(base, std::move(encoder));
  }
  const std::lock_guard lock(mutex_);
  Encoder& encoder = loaded_.at(base);
  encoder.used = Clock::now();
  if (keep_alive) encoder.keep_alive_seconds = *keep_alive;
  return *encoder.embedder;
}

void Embedders::unload_unused() {
  if (loaded_.empty()) return;
  const bool all = options_.short_of_memory();
  size_t gone = 0;
  {
    const std::lock_guard lock(mutex_);
    gone = std::erase_if(loaded_, [&](const auto& one) {
      const double seconds = one.second.keep_alive_seconds;
      return all || (seconds >= 0 && seconds_since(one.second.used) >= seconds);
    });
  }
  if (gone > 0) tensor::give_memory_back();
}

}  // namespace toolkit::serve

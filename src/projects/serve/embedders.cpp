#include "projects/serve/embedders.h"

#include <algorithm>

#include "core/tensor/backend.h"

namespace toolkit::serve {

namespace {
using Clock = std::chrono::steady_clock;
constexpr size_t kMostLoaded = 2;
}  // namespace

bool Embedders::use(const std::string& encoder, Then then, Failed failed) {
  return thread_.add([this, encoder, then = std::move(then), failed = std::move(failed)] {
    try {
      const auto begin = Clock::now();
      const engine::TextEmbedder& embedder = loaded(encoder);
      then(embedder, std::chrono::duration<double>(Clock::now() - begin).count());
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

const engine::TextEmbedder& Embedders::loaded(const std::string& base) {
  auto found = loaded_.find(base);
  if (found == loaded_.end()) {
    if (loaded_.size() >= kMostLoaded)
      loaded_.erase(std::min_element(
          loaded_.begin(), loaded_.end(),
          [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
    options_.check_room(base);
    found = loaded_.emplace(base, Loaded{options_.load(base), {}}).first;
  }
  found->second.used = Clock::now();
  return *found->second.embedder;
}

void Embedders::unload_unused() {
  if (loaded_.empty()) return;
  const auto now = Clock::now();
  const double seconds = options_.short_of_memory() ? 0.0 : options_.keep_alive_seconds;
  const size_t gone = std::erase_if(loaded_, [&](const auto& one) {
    return seconds >= 0 && std::chrono::duration<double>(now - one.second.used).count() >= seconds;
  });
  if (gone > 0) tensor::give_memory_back();
}

}  // namespace toolkit::serve

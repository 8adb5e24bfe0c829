#include "projects/serve/embedders.h"

#include <algorithm>

namespace toolkit::serve {

namespace {
using Clock = std::chrono::steady_clock;
constexpr size_t kMostLoaded = 2;
}  // namespace

bool Embedders::use(const std::string& base,
                    std::function<void(const engine::TextEmbedder&, double load_seconds)> then,
                    std::function<void(std::exception_ptr)> failed) {
  return thread_.add([this, base, then = std::move(then), failed = std::move(failed)] {
    try {
      const auto begin = Clock::now();
      const engine::TextEmbedder& embedder = loaded(base);
      then(embedder, std::chrono::duration<double>(Clock::now() - begin).count());
    } catch (...) {
      failed(std::current_exception());
    }
  });
}

const engine::TextEmbedder& Embedders::loaded(const std::string& base) {
  const auto now = Clock::now();
  std::erase_if(loaded_, [&](const auto& one) {
    return one.first != base && std::chrono::duration<double>(now - one.second.used).count() >
                                    options_.keep_alive_seconds;
  });
  auto found = loaded_.find(base);
  if (found == loaded_.end()) {
    if (loaded_.size() >= kMostLoaded)
      loaded_.erase(std::min_element(
          loaded_.begin(), loaded_.end(),
          [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
    options_.check_room(base);
    found = loaded_.emplace(base, Loaded{options_.load(base), now}).first;
  }
  found->second.used = now;
  return *found->second.embedder;
}

}  // namespace toolkit::serve

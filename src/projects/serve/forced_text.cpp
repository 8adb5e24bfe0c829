#include "projects/serve/forced_text.h"

#include <algorithm>

#include "core/base/error.h"

namespace toolkit::serve {

void ForcedText::allowed(std::span<uint32_t> bits) {
  std::fill(bits.begin(), bits.end(), 0u);
  if (complete()) return;
  const auto id = static_cast<size_t>(ids_[next_]);
  if (id / 32 < bits.size()) bits[id / 32] |= 1u << (id % 32);
}

void ForcedText::accept(int32_t id) {
  if (complete() || id != ids_[next_])
    fail(ErrorKind::kInternal, "token {} came where another one was forced", id);
  ++next_;
}

std::vector<int32_t> ForcedText::forced(size_t most) const {
  const size_t count = std::min(most, ids_.size() - next_);
  const auto begin = ids_.begin() + static_cast<std::ptrdiff_t>(next_);
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace toolkit::serve

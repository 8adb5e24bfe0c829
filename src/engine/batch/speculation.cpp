#include "engine/batch/speculation.h"

#include <algorithm>

namespace toolkit::engine {

std::vector<int32_t> look_up_continuation(std::span<const int32_t> tokens, int count) {
  if (count <= 0) return {};
  for (const size_t width : {size_t{3}, size_t{2}}) {
    if (tokens.size() <= width) continue;
    const std::span<const int32_t> last = tokens.last(width);
    for (size_t end = tokens.size() - 1; end >= width; --end) {
      if (!std::equal(last.begin(), last.end(),
                      tokens.begin() + static_cast<std::ptrdiff_t>(end - width)))
        continue;
      const auto begin = tokens.begin() + static_cast<std::ptrdiff_t>(end);
      return {begin, begin + std::min<std::ptrdiff_t>(count, tokens.end() - begin)};
    }
  }
  return {};
}

}  // namespace toolkit::engine

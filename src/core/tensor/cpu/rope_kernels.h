#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace toolkit::tensor::cpu {

/// cos and sin of position * frequency, times a scale, for positions 0 .. positions()-1.
struct RopeTable {
  int64_t half = 0;           // D'/2
  std::vector<float> values;  // per position: half cosines, then half sines
  int64_t positions() const { return static_cast<int64_t>(values.size()) / (2 * half); }
  const float* at(int64_t position) const { return values.data() + position * 2 * half; }
};

/// The table for these frequencies up to `positions`, made once and kept for later calls (a few
/// tables, the last used ones). Positions must not be negative. Safe from any thread.
std::shared_ptr<const RopeTable> rope_table(std::span<const float> frequencies, float scale,
                                            int64_t positions);

/// Rotates one token: `heads` rows of `width` floats by the table's row `angles`; the part past
/// 2 * half is copied. `to` may be `from`. `backward` rotates by the negative angle.
void rope_token(const float* from, float* to, const float* angles, int64_t heads, int64_t width,
                int64_t half, bool backward);

}  // namespace toolkit::tensor::cpu

#pragma once

#include <cstdint>

namespace toolkit::tensor::cpu {

/// What decides about an element: kept where the hash of key and place is at least `threshold`.
struct DropoutDraw {
  uint32_t key_low, key_high, threshold;
  float factor;  // of what is kept
};

/// Elements [begin, end) of a whole array; y may be x. Done by the calling thread alone.
void dropout_range(const float* x, float* y, int64_t begin, int64_t end, const DropoutDraw& draw);

}  // namespace toolkit::tensor::cpu

#pragma once

#include <cstdint>
#include <span>

namespace toolkit::tensor::cpu {

/// A low-rank product x f in f32, made while the rows of x are at hand: out (m, rank), rows
/// `stride` apart. f is a panel (columns, width), width a multiple of 16, zero past the rank.
struct LowProduct {
  const float* panel = nullptr;
  int64_t width = 0;
  int64_t rank = 0;  // 0: none
  float* out = nullptr;
  int64_t stride = 0;
};

/// Columns [at, at + rank) of a LowProduct's panel: panel(k, r) = factor * f[k * f_row + r *
/// f_column].
struct LowFactor {
  const float* f = nullptr;
  int64_t f_row = 0;
  int64_t f_column = 0;
  int64_t rank = 0;
  int64_t at = 0;
  float factor = 1.0f;
};

/// The panel of `factors` side by side, in this thread's work buffer.
const float* low_panel(std::span<const LowFactor> factors, int64_t columns, int64_t width);

}  // namespace toolkit::tensor::cpu

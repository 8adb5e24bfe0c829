#pragma once

#include <cstdint>

namespace toolkit::tensor::cpu {

enum class FloatType : uint8_t { kFloat32, kFloat16, kBFloat16 };

/// A weight matrix (rows = out, columns = in) in memory, row-major without gaps.
///   bits == 0    `data` holds floats of type `type`
///   bits 4 or 8  `data` holds MLX's affine groups: u32 words, lowest element first; element w =
///                scale * q + bias, with `scales` and `biases` (rows, columns / group_size) of type
///                `type`
struct WeightView {
  const void* data = nullptr;
  const void* scales = nullptr;
  const void* biases = nullptr;
  int64_t rows = 0;
  int64_t columns = 0;
  int group_size = 0;  // 32, 64 or 128; columns is a multiple of it
  int bits = 0;
  FloatType type = FloatType::kFloat32;

  bool quantized() const { return bits != 0; }
  int64_t groups() const { return columns / group_size; }
  int64_t words_per_row() const { return columns * bits / 32; }
  /// The same matrix cut to rows [begin, begin + count).
  WeightView slice(int64_t begin, int64_t count) const;
};

}  // namespace toolkit::tensor::cpu

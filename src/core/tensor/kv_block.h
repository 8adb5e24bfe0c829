#pragma once

#include <cstdint>

namespace toolkit::tensor {

/// Keys and values of up to 32 consecutive tokens of one sequence, in all layers, f32: what a cache
/// is made of that several sequences share (Kwon et al. 2023, arXiv:2309.06180). Of each layer
/// first the keys (Hkv, D, 32), then the values (Hkv, 32, padded D). What was never written is
/// zero.
struct KvBlockShape {
  static constexpr int kTokens = 32;

  int layers, kv_heads, head_dim;

  int64_t padded_width() const { return (int64_t{head_dim} + 15) / 16 * 16; }
  int64_t key_floats() const { return int64_t{kv_heads} * head_dim * kTokens; }
  int64_t layer_floats() const { return key_floats() + kv_heads * kTokens * padded_width(); }
  int64_t floats() const { return layers * layer_floats(); }
  int64_t bytes() const { return floats() * static_cast<int64_t>(sizeof(float)); }
};

}  // namespace toolkit::tensor

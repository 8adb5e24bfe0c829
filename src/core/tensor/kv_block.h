#pragma once

#include <cstdint>

namespace toolkit::tensor {

/// Keys and values of up to 32 consecutive tokens of one sequence, in all layers: what a cache is
/// made of that several sequences share (Kwon et al. 2023, arXiv:2309.06180). As f16, or as int8
/// with an f32 scale per token and head. Of each layer first the keys (Hkv, D, 32), then the values
/// (Hkv, 32, padded D), then the scales of keys and of values, (Hkv, 32) each. What was never
/// written is zero.
struct KvBlockShape {
  static constexpr int kTokens = 32;

  int layers, kv_heads, head_dim;
  bool int8 = false;

  int64_t padded_width() const { return (int64_t{head_dim} + 15) / 16 * 16; }
  int64_t element_bytes() const { return int8 ? 1 : 2; }
  int64_t key_bytes() const { return int64_t{kv_heads} * head_dim * kTokens * element_bytes(); }
  int64_t value_bytes() const { return kv_heads * kTokens * padded_width() * element_bytes(); }
  int64_t scale_bytes() const { return int8 ? int64_t{kv_heads} * kTokens * 4 : 0; }
  int64_t layer_bytes() const { return key_bytes() + value_bytes() + 2 * scale_bytes(); }
  int64_t bytes() const { return layers * layer_bytes(); }
};

}  // namespace toolkit::tensor

#include <cstring>

#include "core/checkpoint/ggml_blocks.h"
#include "core/checkpoint/ggml_types.h"
#include "core/checkpoint/half.h"

namespace toolkit::checkpoint {

namespace {

/// GGUF keeps value j of a block beside value j + 16; MLX keeps neighbours beside each other.
void reorder_nibbles(const uint8_t* from, uint8_t* to) {
  for (int i = 0; i < 8; ++i) {
    const unsigned first = from[2 * i], second = from[2 * i + 1];
    to[i] = static_cast<uint8_t>((first & 0x0Fu) | (second << 4));
    to[8 + i] = static_cast<uint8_t>((first >> 4) | (second & 0xF0u));
  }
}

}  // namespace

bool has_affine_form(uint32_t type) {
  return type == kGgmlQ4_0 || type == kGgmlQ4_1 || type == kGgmlQ8_0;
}

int affine_bits(uint32_t type) {
  return type == kGgmlQ8_0 ? 8 : 4;
}

bool blocks_to_affine(uint32_t type, const uint8_t* blocks, uint64_t block_count, AffineGroups to) {
  const uint32_t block_bytes = find_ggml_type(type)->block_bytes;
  bool finite = true;
  for (uint64_t i = 0; i < block_count; ++i, blocks += block_bytes) {
    std::memcpy(&to.scales[i], blocks, 2);
    if (type == kGgmlQ4_1) {
      std::memcpy(&to.biases[i], blocks + 2, 2);
      reorder_nibbles(blocks + 4, to.quants + 16 * i);
    } else if (type == kGgmlQ4_0) {
      to.biases[i] = half_from_float(-8.0f * float_from_half(to.scales[i]));
      reorder_nibbles(blocks + 2, to.quants + 16 * i);
    } else {
      to.biases[i] = half_from_float(-128.0f * float_from_half(to.scales[i]));
      for (int j = 0; j < 32; ++j) to.quants[32 * i + j] = blocks[2 + j] ^ 0x80u;
    }
    finite = finite && half_is_finite(to.scales[i]) && half_is_finite(to.biases[i]);
  }
  return finite;
}

}  // namespace toolkit::checkpoint

#pragma once

#include <cstdint>

namespace toolkit::checkpoint {

/// One run of GGUF blocks of 32 as one affine group of MLX each: the quants in order, first one in
/// the lowest bits, and w = scale * q + bias with both as f16. The same numbers, only moved.
struct AffineGroups {
  uint8_t* quants;   // 16 bytes per group (4 bit) or 32 (8 bit)
  uint16_t* scales;  // f16
  uint16_t* biases;  // f16
};

/// True for Q4_0, Q4_1 and Q8_0.
bool has_affine_form(uint32_t type);
int affine_bits(uint32_t type);
/// Returns false if a scale or bias is infinite or NaN.
bool blocks_to_affine(uint32_t type, const uint8_t* blocks, uint64_t block_count, AffineGroups to);

/// True for the types that `blocks_to_half` reads.
bool has_half_form(uint32_t type);
/// Dequantizes whole blocks to f16 (computed in f32, rounded to nearest). Returns false if a value
/// is infinite, NaN or too large for f16. Formats: the `gguf` package's quants module, ggml-quants.
bool blocks_to_half(uint32_t type, const uint8_t* blocks, uint64_t block_count, uint16_t* to);

}  // namespace toolkit::checkpoint

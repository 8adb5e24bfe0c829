#pragma once

#include <cstdint>

namespace toolkit::checkpoint {

/// Quantizes runs of 32 values to blocks of Q8_0, Q4_0 or Q4_1 by ggml's reference rules (the same
/// bytes as the `gguf` package's quants module). Returns false if a value or scale is infinite, NaN
/// or too large for f16.
bool quantize_blocks(uint32_t type, const float* values, uint64_t block_count, uint8_t* blocks);

}  // namespace toolkit::checkpoint

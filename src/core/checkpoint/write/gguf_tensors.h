#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/checkpoint/model_files.h"
#include "core/tensor/linear.h"

namespace toolkit::checkpoint {

/// The weight in blocks of Q8_0, Q4_0 or Q4_1, as packed groups of 32 (`values`: (out, in), f32).
/// Throws Error(kUserInput) naming the module for a value that is no number or too large.
tensor::Weight quantized_by_ggml(const mx::array& values, uint32_t type, const std::string& module);

/// The block type that holds these packed groups bit for bit: Q4_0 or Q8_0 where every bias is what
/// that type implies, Q4_1 for other 4-bit groups of 32 n; nothing where scales or biases are not
/// f16's numbers or the groups are of another kind.
std::optional<uint32_t> exact_block_type(const tensor::Weight& weight);

/// A tensor's bytes in a GGUF file, of a dense weight or of packed groups that `type` holds.
std::vector<uint8_t> gguf_bytes(const tensor::Weight& weight, uint32_t type);

/// F32, F16 or BF16.
uint32_t dense_ggml_type(mx::Dtype dtype);

}  // namespace toolkit::checkpoint

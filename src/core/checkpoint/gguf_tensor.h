#pragma once

#include <filesystem>

#include "core/checkpoint/gguf_header.h"
#include "core/tensor/linear.h"

namespace toolkit::checkpoint {

/// One tensor as the engine keeps it: Q4_0, Q4_1, Q8_0 as affine groups of 32; F32, F16, BF16
/// dense; Q5_0, Q5_1, Q2_K..Q6_K, Q8_K, IQ4_NL dequantized to f16. Throws Error(kUnsupported)
/// naming any other type.
tensor::Weight load_gguf_tensor(const std::filesystem::path& path, const GgufTensor& tensor);

}  // namespace toolkit::checkpoint

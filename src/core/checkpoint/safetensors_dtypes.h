#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "mlx/dtype.h"

namespace mx = mlx::core;

namespace toolkit::checkpoint {

/// Bits of one value of a safetensors dtype ("F32": 32); nothing for a name the format does not
/// have.
std::optional<uint32_t> safetensors_bits(const std::string& dtype);

/// The same type in MLX; nothing for those MLX does not compute with.
std::optional<mx::Dtype> mlx_dtype(const std::string& dtype);

/// The name of an MLX type in a safetensors file.
const char* safetensors_name(mx::Dtype dtype);

}  // namespace toolkit::checkpoint

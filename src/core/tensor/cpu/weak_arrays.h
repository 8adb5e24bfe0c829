#pragma once

#include <vector>

#include "mlx/array.h"

namespace toolkit::tensor::cpu {

/// Copies for a dispatched command that do not count as users, so that buffers can still be reused;
/// MLX keeps the memory alive until the command has run.
inline std::vector<mlx::core::array> weak_arrays(const std::vector<mlx::core::array>& arrays) {
  std::vector<mlx::core::array> copies;
  copies.reserve(arrays.size());
  for (const mlx::core::array& array : arrays)
    copies.push_back(mlx::core::array::unsafe_weak_copy(array));
  return copies;
}

}  // namespace toolkit::tensor::cpu

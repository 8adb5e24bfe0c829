#pragma once

#include <vector>

#include "mlx/array.h"

namespace mx = mlx::core;

namespace toolkit::checkpoint {

/// A new MLX array and the memory behind it, to be filled before anything else uses the array.
struct NewArray {
  mx::array array;
  void* data;
};

/// Throws Error(kOutOfMemory) when MLX cannot allocate it.
NewArray new_array(const mx::Shape& shape, mx::Dtype dtype);

/// The rows of a (rows, ...) array in another order: result row i is row order[i]. The array must
/// be evaluated and contiguous, as those of new_array are.
mx::array reorder_rows(const mx::array& array, const std::vector<int>& order);

}  // namespace toolkit::checkpoint

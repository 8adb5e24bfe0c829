#pragma once

#include <cstdint>

#include "core/tensor/array_fwd.h"

namespace toolkit::tensor {

/// Inverted dropout: zeroes each element with probability `rate` in [0, 1) and divides the others
/// by 1 - rate. Which ones depends on the key and the element's place only (a hash, no state), so
/// that a resumed or recomputed step draws the same on every backend. x of any shape;
/// differentiable. (Srivastava et al. 2014)
mx::array dropout(const mx::array& x, float rate, uint64_t key);

}  // namespace toolkit::tensor

#pragma once

#include "core/tensor/array_fwd.h"

namespace toolkit::tensor::cpu {

/// The gradient dy^T x (out, in) f32 of a dense weight, x (..., in) and dy (..., out) f32: an MLX
/// primitive without a gradient of its own.
mx::array weight_gradient(const mx::array& x, const mx::array& dy);

}  // namespace toolkit::tensor::cpu

#pragma once

#include <utility>

#include "core/tensor/array_fwd.h"

namespace toolkit::tensor {

/// y = x / sqrt(mean(x^2) + eps) * weight, over the last axis.
///   x (..., C), weight (C)  ->  (..., C). Differentiable in x and weight. (arXiv:1910.07467)
mx::array rms_norm(const mx::array& x, const mx::array& weight, float eps);

/// Residual add and norm in one pass: s = x + delta, y = rms_norm(s). Returns {s, y}.
std::pair<mx::array, mx::array> add_rms_norm(const mx::array& x, const mx::array& delta,
                                             const mx::array& weight, float eps);

}  // namespace toolkit::tensor

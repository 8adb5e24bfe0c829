#pragma once

#include "core/tensor/array_fwd.h"

namespace toolkit::tensor {

/// y = (s - mean(s)) / sqrt(var(s) + eps) * weight + bias over the last axis, where s is x, or
/// x + delta where there is one (the residual add of an encoder).
///   x, delta (..., C), weight and bias (C)  ->  (..., C). Differentiable in all. (Ba et al. 2016,
///   arXiv:1607.06450)
mx::array layer_norm(const mx::array& x, const mx::array& weight, const mx::array& bias, float eps,
                     const mx::array* delta = nullptr);

}  // namespace toolkit::tensor

#pragma once

#include "core/tensor/array_fwd.h"

namespace toolkit::tensor {

/// y = x * scale + bias, column by column: x (..., C) f32, scale (C), bias (C) or null.
/// Differentiable in x and scale (and bias, through the plain graph). The CPU primitive writes over
/// x where it can and keeps y for the gradient: that of a scale that is exactly 0 is 0.
mx::array scale_columns(const mx::array& x, const mx::array& scale, const mx::array* bias);

}  // namespace toolkit::tensor

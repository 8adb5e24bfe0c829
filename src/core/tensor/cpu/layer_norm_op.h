#pragma once

#include "core/tensor/array_fwd.h"

namespace toolkit::tensor::cpu {

/// The primitive behind tensor::layer_norm: f32, shapes checked by the caller. Its gradient is the
/// plain graph's: nothing here trains an encoder.
mx::array layer_norm(const mx::array& x, const mx::array& weight, const mx::array& bias, float eps,
                     const mx::array* delta);

}  // namespace toolkit::tensor::cpu

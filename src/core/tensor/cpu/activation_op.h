#pragma once

#include "core/tensor/activation.h"

namespace toolkit::tensor::cpu {

/// The primitive behind tensor::activation: f32. Its gradient is the plain graph's: nothing here
/// trains an encoder.
mx::array activation(const mx::array& x, Activation kind);

}  // namespace toolkit::tensor::cpu

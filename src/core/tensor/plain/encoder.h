#pragma once

#include "core/tensor/activation.h"
#include "core/tensor/array_fwd.h"

/// The ops of encoders as a graph of MLX's own; see plain.h.
namespace toolkit::tensor::plain {

mx::array layer_norm(const mx::array& x, const mx::array& weight, const mx::array& bias, float eps);
mx::array activation(const mx::array& x, Activation kind);

}  // namespace toolkit::tensor::plain

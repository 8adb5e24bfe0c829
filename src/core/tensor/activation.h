#pragma once

#include "core/tensor/array_fwd.h"

namespace toolkit::tensor {

enum class Activation {
  kGelu,      // x Phi(x), Phi the normal distribution (Hendrycks & Gimpel 2016, arXiv:1606.08415)
  kGeluTanh,  // the same with tanh instead of erf
  kRelu
};

/// The activation of every element, type and shape of x. Differentiable.
mx::array activation(const mx::array& x, Activation kind);

}  // namespace toolkit::tensor

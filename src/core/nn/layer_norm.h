#pragma once

#include "core/tensor/layer_norm.h"
#include "mlx/array.h"

namespace toolkit::nn {

struct LayerNorm {
  mx::array weight, bias;  // (C)

  /// The norm of x, or of x + delta.
  mx::array operator()(const mx::array& x, float eps, const mx::array* delta = nullptr) const {
    return tensor::layer_norm(x, weight, bias, eps, delta);
  }
};

}  // namespace toolkit::nn

#pragma once

#include <span>
#include <vector>

#include "core/tensor/array_fwd.h"
#include "mlx/array.h"

namespace toolkit::tensor {

struct AdamwStep {
  float learning_rate;
  float beta1 = 0.9f;
  float beta2 = 0.999f;
  float eps = 1e-8f;
  float weight_decay = 0.0f;
  int step = 1;                 // counts from 1, for bias correction
  float gradient_scale = 1.0f;  // multiplies every gradient first (1 / tokens, loss scaling)
  float max_norm = 0.0f;        // clip the global norm of the scaled gradients; 0: no clipping
};

struct AdamwResult {
  std::vector<mx::array> parameters, first_moments, second_moments;
  mx::array gradient_norm;  // () f32, of the scaled gradients before clipping
};

/// One AdamW step over all parameters in one pass; buffers of the inputs are reused when nobody
/// else holds them. A NaN or Inf gradient leaves everything as it was; the norm says so.
/// (Loshchilov & Hutter 2017, arXiv:1711.05101)
AdamwResult adamw(std::span<const mx::array> parameters, std::span<const mx::array> gradients,
                  std::span<const mx::array> first_moments,
                  std::span<const mx::array> second_moments, const AdamwStep& step);

}  // namespace toolkit::tensor

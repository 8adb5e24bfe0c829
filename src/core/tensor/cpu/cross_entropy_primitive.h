#pragma once

#include <optional>

#include "core/tensor/cpu/linear_primitive.h"
#include "mlx/array.h"

namespace toolkit::tensor::cpu {

struct CrossEntropySettings {
  float softcap = 0.0f;
  float logit_scale = 1.0f;
  float label_smoothing = 0.0f;
};

/// Losses (N) of hidden (N, C) f32 against targets (N) int32, as one MLX primitive with a gradient
/// by hidden. The gradient is computed along with the losses when hidden is being differentiated.
mx::array cross_entropy_primitive(const mx::array& hidden, const LinearMap& head,
                                  const mx::array& targets, const CrossEntropySettings& settings);

}  // namespace toolkit::tensor::cpu

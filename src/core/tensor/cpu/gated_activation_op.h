#pragma once

#include "core/tensor/gated_activation.h"

namespace toolkit::tensor::cpu {

/// The primitive behind tensor::gated_activation: f32, shapes checked by the caller.
mx::array gated_activation(const mx::array& gate, const mx::array& up, Gate kind);

}  // namespace toolkit::tensor::cpu

#pragma once

#include "core/tensor/array_fwd.h"

namespace toolkit::tensor::cpu {

/// The primitive behind tensor::scale_columns: f32, shapes checked by the caller; no gradient for
/// the bias.
mx::array scale_columns(const mx::array& x, const mx::array& scale, const mx::array* bias);

}  // namespace toolkit::tensor::cpu

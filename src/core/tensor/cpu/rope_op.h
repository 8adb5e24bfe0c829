#pragma once

#include "core/tensor/array_fwd.h"

namespace toolkit::tensor::cpu {

/// The primitive behind tensor::rope: contiguous f32, shapes checked by the caller.
mx::array rope(const mx::array& x, const mx::array& frequencies, int offset, float scale);
mx::array rope(const mx::array& x, const mx::array& frequencies, const mx::array& positions,
               float scale);

}  // namespace toolkit::tensor::cpu

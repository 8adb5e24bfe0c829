#pragma once

#include <utility>

#include "core/tensor/array_fwd.h"

namespace toolkit::tensor::cpu {

/// The primitives behind tensor::rms_norm and tensor::add_rms_norm: contiguous f32, shapes checked
/// by the caller.
mx::array rms_norm(const mx::array& x, const mx::array& weight, float eps);
std::pair<mx::array, mx::array> add_rms_norm(const mx::array& x, const mx::array& delta,
                                             const mx::array& weight, float eps);

}  // namespace toolkit::tensor::cpu

#pragma once

#include <cstdint>

#include "core/tensor/array_fwd.h"

namespace toolkit::tensor::cpu {

/// The primitive behind tensor::dropout: f32, the rate checked by the caller.
mx::array dropout(const mx::array& x, float rate, uint64_t key);

}  // namespace toolkit::tensor::cpu

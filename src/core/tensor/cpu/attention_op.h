#pragma once

#include "core/tensor/attention.h"

namespace toolkit::tensor::cpu {

/// The primitive behind tensor::attention: f32, shapes checked by the caller.
mx::array attention(const mx::array& q, const mx::array& k, const mx::array& v,
                    const AttentionOptions& options);

}  // namespace toolkit::tensor::cpu

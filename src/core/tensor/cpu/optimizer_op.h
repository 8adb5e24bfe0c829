#pragma once

#include "core/tensor/optimizer_update.h"

namespace toolkit::tensor::cpu {

/// The primitives behind core/tensor/optimizer_update.h: f32 (first moments in 8 bits: int8),
/// shapes checked by the caller.
mx::array gradient_norm(std::span<const mx::array> gradients, float scale);
std::vector<UpdatedTensor> optimizer_update(std::vector<TensorUpdate> tensors,
                                            const UpdateRule& rule, const GradientScaling& scaling);
std::vector<mx::array> add_gradients(std::vector<mx::array> sums,
                                     std::span<const mx::array> gradients);

}  // namespace toolkit::tensor::cpu

#pragma once

#include "core/tensor/optimizer_update.h"

/// The graphs of MLX's own ops for optimizer steps; signatures and meaning as in the public header.
namespace toolkit::tensor::plain {

mx::array gradient_norm(std::span<const mx::array> gradients, float scale);
std::vector<UpdatedTensor> optimizer_update(const std::vector<TensorUpdate>& tensors,
                                            const UpdateRule& rule, const GradientScaling& scaling);
std::vector<mx::array> add_gradients(std::span<const mx::array> sums,
                                     std::span<const mx::array> gradients);

}  // namespace toolkit::tensor::plain

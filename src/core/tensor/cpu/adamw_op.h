#pragma once

#include <span>

#include "core/tensor/adamw.h"

namespace toolkit::tensor::cpu {

/// The primitive behind tensor::adamw: f32, shapes checked by the caller.
AdamwResult adamw(std::span<const mx::array> parameters, std::span<const mx::array> gradients,
                  std::span<const mx::array> first_moments,
                  std::span<const mx::array> second_moments, const AdamwStep& step);

}  // namespace toolkit::tensor::cpu

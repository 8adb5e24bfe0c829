#pragma once

#include <optional>

#include "core/tensor/cpu/linear_primitive.h"
#include "core/tensor/prepared_weight.h"

namespace toolkit::tensor {

/// The map in the form our CPU primitives take, or nothing when they cannot read its weight. Only
/// where the CPU kernels are built.
std::optional<cpu::LinearMap> kernel_map(const LinearTerms& terms, Compute compute);

}  // namespace toolkit::tensor

#pragma once

#include <memory>
#include <optional>

#include "core/tensor/cpu/linear_primitive.h"
#include "core/tensor/linear.h"

namespace toolkit::tensor {

/// What the kernels keep beside a frozen weight.
struct PreparedWeight {
  std::shared_ptr<const cpu::Int8Weight> int8;
};

/// The map in the form our CPU primitives take, or nothing when they cannot read its weight. Only
/// where the CPU kernels are built.
std::optional<cpu::LinearMap> kernel_map(const LinearTerms& terms, Compute compute);

}  // namespace toolkit::tensor

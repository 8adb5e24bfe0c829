#pragma once

#include <memory>
#include <optional>

#include "core/tensor/linear.h"

namespace toolkit::tensor {

namespace cpu {
class Int8Weight;
class ArrangedWeight;
}  // namespace cpu

/// What is kept beside a frozen weight so that no step has to make it again.
struct PreparedWeight {
  std::shared_ptr<const cpu::Int8Weight> int8;          // the CPU kernels' form for Compute::kInt8
  std::shared_ptr<const cpu::ArrangedWeight> arranged;  // for decode_rows
  /// The plain graph's form: the packed data shared, scales and biases in the activations' type.
  std::optional<Weight> converted;
};

}  // namespace toolkit::tensor

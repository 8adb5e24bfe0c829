#pragma once

#include <vector>

#include "core/tensor/linear.h"

namespace toolkit::tensor {

/// Rows [begin, end) of a weight, packed as it is; not evaluated.
Weight weight_rows(const Weight& weight, int begin, int end);

/// Weights of one form, one below the other, evaluated. `parts` must not be empty.
Weight joined_rows(const std::vector<Weight>& parts);

}  // namespace toolkit::tensor

#pragma once

#include <initializer_list>
#include <string>

#include "core/tensor/array_fwd.h"

namespace toolkit::tensor {

/// "(2, 16, 64) float32", for messages.
std::string shape_text(const mx::array& array);

/// The element type our CPU kernels are written for; other types take the plain graph.
bool all_float32(std::initializer_list<const mx::array*> arrays);

}  // namespace toolkit::tensor

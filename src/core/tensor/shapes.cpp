#include "core/tensor/shapes.h"

#include <algorithm>
#include <sstream>

#include "core/base/error.h"
#include "mlx/array.h"
#include "mlx/utils.h"

namespace toolkit::tensor {

std::string shape_text(const mx::array& array) {
  std::string text = "(";
  for (size_t i = 0; i < array.ndim(); ++i)
    text += fmt::format("{}{}", i ? ", " : "", array.shape(static_cast<int>(i)));
  std::ostringstream type;
  type << array.dtype();
  return text + ") " + type.str();
}

bool all_float32(std::initializer_list<const mx::array*> arrays) {
  return std::all_of(arrays.begin(), arrays.end(),
                     [](const mx::array* a) { return a->dtype() == mx::float32; });
}

}  // namespace toolkit::tensor

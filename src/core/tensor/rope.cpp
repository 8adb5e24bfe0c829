#include "core/tensor/rope.h"

#include "core/tensor/plain/plain.h"

namespace toolkit::tensor {

mx::array rope(const mx::array& x, const mx::array& frequencies, int offset, float scale) {
  return plain::rope(x, frequencies, offset, scale);
}

}  // namespace toolkit::tensor

#include "core/tensor/rms_norm.h"

#include "core/tensor/plain/plain.h"
#include "mlx/ops.h"

namespace toolkit::tensor {

mx::array rms_norm(const mx::array& x, const mx::array& weight, float eps) {
  return plain::rms_norm(x, weight, eps);
}

std::pair<mx::array, mx::array> add_rms_norm(const mx::array& x, const mx::array& delta,
                                             const mx::array& weight, float eps) {
  mx::array sum = mx::add(x, delta);
  mx::array normed = plain::rms_norm(sum, weight, eps);
  return {sum, normed};
}

}  // namespace toolkit::tensor

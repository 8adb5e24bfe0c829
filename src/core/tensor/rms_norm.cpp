#include "core/tensor/rms_norm.h"

#include "core/base/error.h"
#include "core/tensor/backend.h"
#include "core/tensor/plain/plain.h"
#include "core/tensor/shapes.h"
#include "mlx/ops.h"
#ifdef TOOLKIT_CPU_KERNELS
#include "core/tensor/cpu/rms_norm_op.h"
#endif

namespace toolkit::tensor {

namespace {

void check(const char* op, const mx::array& x, const mx::array& weight) {
  if (x.ndim() == 0 || weight.ndim() != 1 || x.shape(-1) != weight.shape(0))
    fail(ErrorKind::kInternal, "{}: expected x (..., C) and weight (C), found {} and {}", op,
         shape_text(x), shape_text(weight));
}

}  // namespace

mx::array rms_norm(const mx::array& x, const mx::array& weight, float eps) {
  check("rms_norm", x, weight);
#ifdef TOOLKIT_CPU_KERNELS
  if (use_cpu_kernels() && all_float32({&x, &weight})) return cpu::rms_norm(x, weight, eps);
#endif
  return plain::rms_norm(x, weight, eps);
}

std::pair<mx::array, mx::array> add_rms_norm(const mx::array& x, const mx::array& delta,
                                             const mx::array& weight, float eps) {
  check("add_rms_norm", x, weight);
  if (x.shape() != delta.shape())
    fail(ErrorKind::kInternal, "add_rms_norm: x and delta must have one shape, found {} and {}",
         shape_text(x), shape_text(delta));
#ifdef TOOLKIT_CPU_KERNELS
  if (use_cpu_kernels() && all_float32({&x, &delta, &weight}))
    return cpu::add_rms_norm(x, delta, weight, eps);
#endif
  mx::array sum = mx::add(x, delta);
  mx::array normed = plain::rms_norm(sum, weight, eps);
  return {sum, normed};
}

}  // namespace toolkit::tensor

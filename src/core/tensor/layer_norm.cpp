#include "core/tensor/layer_norm.h"

#include "core/base/error.h"
#include "core/tensor/backend.h"
#include "core/tensor/plain/encoder.h"
#include "core/tensor/shapes.h"
#include "mlx/ops.h"
#ifdef TOOLKIT_CPU_KERNELS
#include "core/tensor/cpu/layer_norm_op.h"
#endif

namespace toolkit::tensor {

mx::array layer_norm(const mx::array& x, const mx::array& weight, const mx::array& bias, float eps,
                     const mx::array* delta) {
  if (x.ndim() == 0 || weight.ndim() != 1 || x.shape(-1) != weight.shape(0) ||
      bias.shape() != weight.shape() || (delta && delta->shape() != x.shape()))
    fail(ErrorKind::kInternal,
         "layer_norm: expected x and delta (..., C), weight and bias (C), found {}, {}, {} and {}",
         shape_text(x), delta ? shape_text(*delta) : "none", shape_text(weight), shape_text(bias));
#ifdef TOOLKIT_CPU_KERNELS
  if (use_cpu_kernels() && all_float32({&x, &weight, &bias, delta ? delta : &x}))
    return cpu::layer_norm(x, weight, bias, eps, delta);
#endif
  return plain::layer_norm(delta ? mx::add(x, *delta) : x, weight, bias, eps);
}

}  // namespace toolkit::tensor

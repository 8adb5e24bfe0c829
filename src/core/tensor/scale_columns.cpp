#include "core/tensor/scale_columns.h"

#include "core/base/error.h"
#include "core/tensor/backend.h"
#include "core/tensor/plain/plain.h"
#include "core/tensor/shapes.h"
#ifdef TOOLKIT_CPU_KERNELS
#include "core/tensor/cpu/scale_columns_op.h"
#endif

namespace toolkit::tensor {

mx::array scale_columns(const mx::array& x, const mx::array& scale, const mx::array* bias) {
  if (x.ndim() < 1 || scale.ndim() != 1 || scale.shape(0) != x.shape(-1) ||
      (bias && bias->shape() != scale.shape()))
    fail(ErrorKind::kInternal, "scale_columns: expected x (..., C) and scale (C), found {} and {}",
         shape_text(x), shape_text(scale));
#ifdef TOOLKIT_CPU_KERNELS
  if (use_cpu_kernels() && x.size() > 0 && all_float32({&x, &scale}) &&
      (!bias || (all_float32({bias}) && !bias->is_tracer())))
    return cpu::scale_columns(x, scale, bias);
#endif
  return plain::scale_columns(x, scale, bias);
}

}  // namespace toolkit::tensor

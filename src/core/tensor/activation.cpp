#include "core/tensor/activation.h"

#include "core/tensor/backend.h"
#include "core/tensor/plain/encoder.h"
#include "core/tensor/shapes.h"
#include "mlx/array.h"
#ifdef TOOLKIT_CPU_KERNELS
#include "core/tensor/cpu/activation_op.h"
#endif

namespace toolkit::tensor {

mx::array activation(const mx::array& x, Activation kind) {
#ifdef TOOLKIT_CPU_KERNELS
  if (use_cpu_kernels() && all_float32({&x})) return cpu::activation(x, kind);
#endif
  return plain::activation(x, kind);
}

}  // namespace toolkit::tensor

#include "core/tensor/dropout.h"

#include "core/base/error.h"
#include "core/tensor/backend.h"
#include "core/tensor/plain/plain.h"
#include "core/tensor/shapes.h"
#ifdef TOOLKIT_CPU_KERNELS
#include "core/tensor/cpu/dropout_op.h"
#endif

namespace toolkit::tensor {

mx::array dropout(const mx::array& x, float rate, uint64_t key) {
  if (!(rate >= 0.0f && rate < 1.0f))
    fail(ErrorKind::kInternal, "dropout: the rate {} is not in [0, 1)", rate);
  if (rate == 0.0f) return x;
#ifdef TOOLKIT_CPU_KERNELS
  if (use_cpu_kernels() && x.size() > 0 && all_float32({&x})) return cpu::dropout(x, rate, key);
#endif
  return plain::dropout(x, rate, key);
}

}  // namespace toolkit::tensor

#include "core/tensor/gated_activation.h"

#include "core/base/error.h"
#include "core/tensor/backend.h"
#include "core/tensor/plain/plain.h"
#include "core/tensor/shapes.h"
#ifdef TOOLKIT_CPU_KERNELS
#include "core/tensor/cpu/gated_activation_op.h"
#endif

namespace toolkit::tensor {

mx::array gated_activation(const mx::array& gate, const mx::array& up, Gate kind) {
  if (gate.shape() != up.shape() || gate.dtype() != up.dtype())
    fail(ErrorKind::kInternal, "gated_activation: gate and up must be alike, found {} and {}",
         shape_text(gate), shape_text(up));
#ifdef TOOLKIT_CPU_KERNELS
  if (use_cpu_kernels() && all_float32({&gate, &up})) return cpu::gated_activation(gate, up, kind);
#endif
  return plain::gated_activation(gate, up, kind);
}

}  // namespace toolkit::tensor

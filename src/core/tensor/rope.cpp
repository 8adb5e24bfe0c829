#include "core/tensor/rope.h"

#include "core/base/error.h"
#include "core/tensor/backend.h"
#include "core/tensor/plain/plain.h"
#include "core/tensor/shapes.h"
#ifdef TOOLKIT_CPU_KERNELS
#include "core/tensor/cpu/rope_op.h"
#endif

namespace toolkit::tensor {

namespace {

void check(const mx::array& x, const mx::array& frequencies) {
  if (x.ndim() != 4 || frequencies.ndim() != 1 || 2 * frequencies.shape(0) > x.shape(3))
    fail(ErrorKind::kInternal,
         "rope: expected x (B, T, H, D) and frequencies (D'/2) with D' <= D, found {} and {}",
         shape_text(x), shape_text(frequencies));
}

}  // namespace

mx::array rope(const mx::array& x, const mx::array& frequencies, int offset, float scale) {
  check(x, frequencies);
  if (offset < 0)
    fail(ErrorKind::kInternal, "rope: the offset must not be negative, found {}", offset);
#ifdef TOOLKIT_CPU_KERNELS
  if (use_cpu_kernels() && all_float32({&x, &frequencies}))
    return cpu::rope(x, frequencies, offset, scale);
#endif
  return plain::rope(x, frequencies, offset, scale);
}

mx::array rope(const mx::array& x, const mx::array& frequencies, const mx::array& positions,
               float scale) {
  check(x, frequencies);
  if (positions.ndim() != 2 || positions.shape(0) != x.shape(0) ||
      positions.shape(1) != x.shape(1) || positions.dtype() != mx::int32)
    fail(ErrorKind::kInternal, "rope: positions must be (B, T) int32, found {} with x {}",
         shape_text(positions), shape_text(x));
#ifdef TOOLKIT_CPU_KERNELS
  if (use_cpu_kernels() && all_float32({&x, &frequencies}))
    return cpu::rope(x, frequencies, positions, scale);
#endif
  return plain::rope(x, frequencies, positions, scale);
}

}  // namespace toolkit::tensor

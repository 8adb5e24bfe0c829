#include "core/tensor/cross_entropy.h"

#include "core/base/error.h"
#include "core/tensor/plain/plain.h"
#include "mlx/ops.h"
#ifdef TOOLKIT_CPU_KERNELS
#include "core/tensor/cpu/cross_entropy_primitive.h"
#include "core/tensor/kernel_map.h"
#endif

namespace toolkit::tensor {

mx::array linear_cross_entropy(const mx::array& hidden, const LinearTerms& head,
                               const mx::array& targets, const CrossEntropyOptions& options,
                               [[maybe_unused]] Compute compute) {
  if (hidden.ndim() != 2 || targets.ndim() != 1 || hidden.shape(0) != targets.shape(0) ||
      hidden.shape(1) != head.weight->columns())
    fail(ErrorKind::kInternal, "cross entropy: hidden must be (N, {}) and targets (N)",
         head.weight->columns());
#ifdef TOOLKIT_CPU_KERNELS
  // What the kernels do not differentiate takes the plain graph: logits of one chunk at a time.
  const bool learns = head.weight->data.is_tracer();
  const bool differentiable =
      !learns || (head.weight->data.dtype() == mx::float32 && options.softcap == 0.0f &&
                  options.label_smoothing == 0.0f);
  if (use_cpu_kernels() && differentiable && !head.lora && !(head.bias && head.bias->is_tracer()) &&
      hidden.size() > 0) {
    // Shares of a head that learns are made twice, so both times exactly.
    if (const std::optional<cpu::LinearMap> map =
            kernel_map(head, learns ? Compute::kFloat32 : compute))
      return cpu::cross_entropy_primitive(mx::astype(hidden, mx::float32), *map,
                                          mx::contiguous(mx::astype(targets, mx::int32)),
                                          {.softcap = options.softcap,
                                           .logit_scale = options.logit_scale,
                                           .label_smoothing = options.label_smoothing});
  }
#endif
  return plain::linear_cross_entropy(hidden, head, targets, options);
}

}  // namespace toolkit::tensor

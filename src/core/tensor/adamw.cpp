#include "core/tensor/adamw.h"

#include "core/base/error.h"
#include "core/tensor/backend.h"
#include "core/tensor/plain/plain.h"
#include "core/tensor/shapes.h"
#ifdef TOOLKIT_CPU_KERNELS
#include "core/tensor/cpu/adamw_op.h"
#endif

namespace toolkit::tensor {

AdamwResult adamw(std::span<const mx::array> parameters, std::span<const mx::array> gradients,
                  std::span<const mx::array> first_moments,
                  std::span<const mx::array> second_moments, const AdamwStep& step) {
  const size_t count = parameters.size();
  if (gradients.size() != count || first_moments.size() != count || second_moments.size() != count)
    fail(ErrorKind::kInternal, "adamw: {} parameters, {} gradients, {} and {} moments", count,
         gradients.size(), first_moments.size(), second_moments.size());
  bool floats = count > 0;
  for (size_t i = 0; i < count; ++i) {
    for (const mx::array* other : {&gradients[i], &first_moments[i], &second_moments[i]}) {
      if (other->shape() != parameters[i].shape())
        fail(ErrorKind::kInternal, "adamw: parameter {} is {}, but its gradient or moment is {}", i,
             shape_text(parameters[i]), shape_text(*other));
      floats = floats && all_float32({&parameters[i], other});
    }
  }
#ifdef TOOLKIT_CPU_KERNELS
  if (use_cpu_kernels() && floats)
    return cpu::adamw(parameters, gradients, first_moments, second_moments, step);
#endif
  return plain::adamw(parameters, gradients, first_moments, second_moments, step);
}

}  // namespace toolkit::tensor

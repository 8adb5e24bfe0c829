#include "core/tensor/adamw.h"

#include "core/tensor/plain/plain.h"

namespace toolkit::tensor {

AdamwResult adamw(std::span<const mx::array> parameters, std::span<const mx::array> gradients,
                  std::span<const mx::array> first_moments,
                  std::span<const mx::array> second_moments, const AdamwStep& step) {
  return plain::adamw(parameters, gradients, first_moments, second_moments, step);
}

}  // namespace toolkit::tensor

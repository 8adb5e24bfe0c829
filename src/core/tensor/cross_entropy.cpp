#include "core/tensor/cross_entropy.h"

#include "core/tensor/plain/plain.h"

namespace toolkit::tensor {

mx::array linear_cross_entropy(const mx::array& hidden, const LinearTerms& head, const mx::array& targets,
                               const CrossEntropyOptions& options, Compute) {
  return plain::linear_cross_entropy(hidden, head, targets, options);
}

}  // namespace toolkit::tensor

#include "core/tensor/gated_activation.h"

#include "core/tensor/plain/plain.h"

namespace toolkit::tensor {

mx::array gated_activation(const mx::array& gate, const mx::array& up, Gate kind) {
  return plain::gated_activation(gate, up, kind);
}

}  // namespace toolkit::tensor

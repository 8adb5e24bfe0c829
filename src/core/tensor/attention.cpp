#include "core/tensor/attention.h"

#include "core/tensor/plain/plain.h"

namespace toolkit::tensor {

mx::array attention(const mx::array& q, const mx::array& k, const mx::array& v,
                    const AttentionOptions& options) {
  return plain::attention(q, k, v, options);
}

}  // namespace toolkit::tensor

#include "core/tensor/embedding.h"

#include "core/tensor/plain/plain.h"

namespace toolkit::tensor {

mx::array embedding(const Weight& table, const mx::array& ids, mx::Dtype dtype) {
  return plain::embedding(table, ids, dtype);
}

mx::array gather_rows(const mx::array& x, const mx::array& rows) { return plain::gather_rows(x, rows); }

}  // namespace toolkit::tensor

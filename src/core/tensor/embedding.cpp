#include "core/tensor/embedding.h"

#include "core/base/error.h"
#include "core/tensor/backend.h"
#include "core/tensor/plain/plain.h"
#include "core/tensor/shapes.h"
#include "mlx/ops.h"
#ifdef TOOLKIT_CPU_KERNELS
#include "core/tensor/cpu/embedding_op.h"
#endif

namespace toolkit::tensor {

mx::array embedding(const Weight& table, const mx::array& ids, mx::Dtype dtype) {
  if (table.data.ndim() != 2 || ids.dtype() != mx::int32)
    fail(ErrorKind::kInternal, "embedding: expected a table (V, C) and int32 ids, found {} and {}",
         shape_text(table.data), shape_text(ids));
#ifdef TOOLKIT_CPU_KERNELS
  if (use_cpu_kernels() && cpu::can_embed(table))
    return mx::astype(cpu::embedding(table, ids), dtype);
#endif
  return plain::embedding(table, ids, dtype);
}

std::vector<mx::array> shared_table(const mx::array& table, int count) {
#ifdef TOOLKIT_CPU_KERNELS
  if (use_cpu_kernels() && count > 1 && table.ndim() == 2 && all_float32({&table}))
    return cpu::shared_table(table, count);
#endif
  return std::vector<mx::array>(static_cast<size_t>(count), table);
}

mx::array gather_rows(const mx::array& x, const mx::array& rows) {
  if (x.ndim() != 2 || rows.ndim() != 1 || rows.dtype() != mx::int32)
    fail(ErrorKind::kInternal, "gather_rows: expected x (N, C) and rows (M) int32, found {} and {}",
         shape_text(x), shape_text(rows));
#ifdef TOOLKIT_CPU_KERNELS
  if (use_cpu_kernels() && all_float32({&x})) return cpu::gather_rows(x, rows);
#endif
  return plain::gather_rows(x, rows);
}

}  // namespace toolkit::tensor

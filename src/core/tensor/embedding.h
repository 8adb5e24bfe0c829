#pragma once

#include "core/tensor/array_fwd.h"
#include "core/tensor/linear.h"

namespace toolkit::tensor {

/// Rows of a (vocabulary, C) table. ids (B, T) int32 -> (B, T, C) of `dtype`; a quantized table is
/// read row by row, never expanded as a whole. Differentiable in a dense table.
mx::array embedding(const Weight& table, const mx::array& ids, mx::Dtype dtype);

/// Selected rows of a matrix: x (N, C), rows (M) int32, each at most once -> (M, C).
/// Gradient: rows put back in place, zeros elsewhere.
mx::array gather_rows(const mx::array& x, const mx::array& rows);

}  // namespace toolkit::tensor

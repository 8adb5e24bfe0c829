#pragma once

#include <vector>

#include "core/tensor/array_fwd.h"
#include "core/tensor/linear.h"

namespace toolkit::tensor {

/// Rows of a (vocabulary, C) table. ids (B, T) int32 -> (B, T, C) of `dtype`; a quantized table is
/// read row by row, never expanded as a whole. Differentiable in a dense table.
mx::array embedding(const Weight& table, const mx::array& ids, mx::Dtype dtype);

/// Handles on one table for `count` places of a graph, as a tied embedding is the head, too. Their
/// gradients are summed on all threads, those of embedding() row by row into the others' sum.
std::vector<mx::array> shared_table(const mx::array& table, int count);

/// Selected rows of a matrix: x (N, C), rows (M) int32, each at most once -> (M, C).
/// Gradient: rows put back in place, zeros elsewhere.
mx::array gather_rows(const mx::array& x, const mx::array& rows);

}  // namespace toolkit::tensor

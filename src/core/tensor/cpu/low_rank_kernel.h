#pragma once

#include <cstdint>

namespace toolkit::tensor::cpu {

/// A low-rank branch on one input: y (rows) += scale * (x a) b, with a (columns, rank) and
/// b (rank, rows). (Hu et al. 2021, arXiv:2106.09685)
struct LowRankBranch {
  const float* a;
  const float* b;
  int64_t columns, rank, rows;
  float scale;
};
void add_low_rank(const LowRankBranch& branch, const float* x, float* y);

}  // namespace toolkit::tensor::cpu

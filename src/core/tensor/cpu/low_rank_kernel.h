#pragma once

#include <cstdint>
#include <span>

namespace toolkit::tensor::cpu {

/// A low-rank branch, for one input: y (rows) += scale * (x a) b, with a (columns, rank) and
/// b (rank, rows). (Hu et al. 2021, arXiv:2106.09685)
struct LowRankBranch {
  const float* a;
  const float* b;
  int64_t columns, rank, rows;
  float scale;
};
void add_low_rank(const LowRankBranch& branch, const float* x, float* y);

/// The same for several inputs x and their y, one of each at a place, each with the result it has
/// alone, bit for bit: a and b are read once for a few of them.
void add_low_rank(const LowRankBranch& branch, std::span<const float* const> x,
                  std::span<float* const> y);

}  // namespace toolkit::tensor::cpu

#include "core/tensor/cpu/low_rank_kernel.h"

#include "core/tensor/cpu/scratch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/low_rank_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// low (rank) = x a. Ranks are small: vectors of eight, four sums side by side.
void reduce(const LowRankBranch& branch, const float* x, float* low) {
  const hn::CappedTag<float, 8> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), rank = branch.rank;
  int64_t k = 0;
  for (; k + lanes <= rank; k += lanes) {
    auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    const float* a = branch.a + k;
    int64_t i = 0;
    for (; i + 4 <= branch.columns; i += 4, a += 4 * rank) {
      s0 = hn::MulAdd(hn::Set(d, x[i]), hn::LoadU(d, a), s0);
      s1 = hn::MulAdd(hn::Set(d, x[i + 1]), hn::LoadU(d, a + rank), s1);
      s2 = hn::MulAdd(hn::Set(d, x[i + 2]), hn::LoadU(d, a + 2 * rank), s2);
      s3 = hn::MulAdd(hn::Set(d, x[i + 3]), hn::LoadU(d, a + 3 * rank), s3);
    }
    for (; i < branch.columns; ++i, a += rank)
      s0 = hn::MulAdd(hn::Set(d, x[i]), hn::LoadU(d, a), s0);
    hn::StoreU(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)), d, low + k);
  }
  for (; k < rank; ++k) {
    low[k] = 0.0f;
    for (int64_t i = 0; i < branch.columns; ++i) low[k] += x[i] * branch.a[i * rank + k];
  }
}

void AddLowRank(const LowRankBranch& branch, const float* x, float* y) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), rows = branch.rows;
  float* low = scratch<float>(Scratch::kGradient, static_cast<size_t>(branch.rank));
  reduce(branch, x, low);
  for (int64_t k = 0; k < branch.rank; ++k) low[k] *= branch.scale;
  int64_t j = 0;
  for (; j + lanes <= rows; j += lanes) {
    auto sum = hn::LoadU(d, y + j);
    for (int64_t k = 0; k < branch.rank; ++k)
      sum = hn::MulAdd(hn::Set(d, low[k]), hn::LoadU(d, branch.b + k * rows + j), sum);
    hn::StoreU(sum, d, y + j);
  }
  for (; j < rows; ++j)
    for (int64_t k = 0; k < branch.rank; ++k) y[j] += low[k] * branch.b[k * rows + j];
}

}  // namespace toolkit::tensor::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(AddLowRank);

void add_low_rank(const LowRankBranch& branch, const float* x, float* y) {
  HWY_DYNAMIC_DISPATCH(AddLowRank)(branch, x, y);
}

}  // namespace toolkit::tensor::cpu
#endif

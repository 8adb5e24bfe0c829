#include "core/tensor/cpu/low_rank_kernel.h"

#include <array>
#include <utility>

#include "core/tensor/cpu/scratch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/low_rank_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// low (inputs, rank) = scale x a. Ranks are small: vectors of eight, four sums side by side for
// each input. How many inputs there are changes nothing in the order of a sum.
template <int kInputs>
HWY_INLINE void reduce(const LowRankBranch& branch, const float* const* x, float* low) {
  const hn::CappedTag<float, 8> d;
  using V = hn::Vec<decltype(d)>;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), rank = branch.rank;
  int64_t k = 0;
  for (; k + lanes <= rank; k += lanes) {
    V sum[kInputs][4];
    for (auto& sums : sum)
      for (V& one : sums) one = hn::Zero(d);
    const float* a = branch.a + k;
    int64_t i = 0;
    for (; i + 4 <= branch.columns; i += 4)
#pragma GCC unroll 4
      for (int p = 0; p < 4; ++p, a += rank) {
        const V factor = hn::LoadU(d, a);
#pragma GCC unroll 4
        for (int n = 0; n < kInputs; ++n)
          sum[n][p] = hn::MulAdd(hn::Set(d, x[n][i + p]), factor, sum[n][p]);
      }
    for (; i < branch.columns; ++i, a += rank)
      for (int n = 0; n < kInputs; ++n)
        sum[n][0] = hn::MulAdd(hn::Set(d, x[n][i]), hn::LoadU(d, a), sum[n][0]);
    for (int n = 0; n < kInputs; ++n) {
      const V all = hn::Add(hn::Add(sum[n][0], sum[n][1]), hn::Add(sum[n][2], sum[n][3]));
      hn::StoreU(hn::Mul(all, hn::Set(d, branch.scale)), d, low + n * rank + k);
    }
  }
  for (; k < rank; ++k)
    for (int n = 0; n < kInputs; ++n) {
      float sum = 0.0f;
      for (int64_t i = 0; i < branch.columns; ++i) sum += x[n][i] * branch.a[i * rank + k];
      low[n * rank + k] = sum * branch.scale;
    }
}

template <int kInputs>
void add_inputs(const LowRankBranch& branch, const float* const* x, float* const* y) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), rows = branch.rows, rank = branch.rank;
  float* low = scratch<float>(Scratch::kGradient, static_cast<size_t>(kInputs * rank));
  reduce<kInputs>(branch, x, low);
  int64_t j = 0;
  for (; j + lanes <= rows; j += lanes) {
    V sum[kInputs];
    for (int n = 0; n < kInputs; ++n) sum[n] = hn::LoadU(d, y[n] + j);
    for (int64_t k = 0; k < rank; ++k) {
      const V b = hn::LoadU(d, branch.b + k * rows + j);
      for (int n = 0; n < kInputs; ++n)
        sum[n] = hn::MulAdd(hn::Set(d, low[n * rank + k]), b, sum[n]);
    }
    for (int n = 0; n < kInputs; ++n) hn::StoreU(sum[n], d, y[n] + j);
  }
  for (; j < rows; ++j)
    for (int64_t k = 0; k < rank; ++k)
      for (int n = 0; n < kInputs; ++n) y[n][j] += low[n * rank + k] * branch.b[k * rows + j];
}

void AddLowRank(const LowRankBranch& branch, const float* const* x, float* const* y,
                int64_t count) {
  // Four sums of each input in registers, of which there are 32 or 16.
  constexpr size_t kMost = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON ? 4 : 2;
  static constexpr auto kFunctions = []<size_t... kIndex>(std::index_sequence<kIndex...>) {
    return std::array{add_inputs<static_cast<int>(kIndex) + 1>...};
  }(std::make_index_sequence<kMost>());
  while (count > 0) {
    const int64_t now = count < static_cast<int64_t>(kMost) ? count : static_cast<int64_t>(kMost);
    kFunctions[static_cast<size_t>(now - 1)](branch, x, y);
    x += now, y += now, count -= now;
  }
}

}  // namespace toolkit::tensor::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(AddLowRank);

void add_low_rank(const LowRankBranch& branch, const float* x, float* y) {
  HWY_DYNAMIC_DISPATCH(AddLowRank)(branch, &x, &y, 1);
}

void add_low_rank(const LowRankBranch& branch, std::span<const float* const> x,
                  std::span<float* const> y) {
  HWY_DYNAMIC_DISPATCH(AddLowRank)(branch, x.data(), y.data(), std::ssize(x));
}

}  // namespace toolkit::tensor::cpu
#endif

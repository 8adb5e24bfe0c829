#include "core/tensor/cpu/head_gradient_kernel.h"

#include <algorithm>
#include <cmath>

#include "core/tensor/cpu/gemm.h"
#include "core/tensor/cpu/scratch.h"
#include "core/tensor/cpu/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/head_gradient_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "core/tensor/cpu/gemm_block-inl.h"
#include "hwy/contrib/math/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu::HWY_NAMESPACE {

constexpr int64_t kTile = 256;   // rows of the head
constexpr int64_t kBlock = 256;  // tokens

/// slopes (rows, kBlock): holds logits / logit_scale of rows [v, v + rows) of the head for tokens
/// [begin, begin + count), and becomes the derivative of the weighted losses by them.
void to_slopes(const HeadGradientProblem& p, int64_t v, int64_t rows, int64_t begin, int64_t count,
               float* slopes) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto scale = hn::Set(d, p.logit_scale);
  for (int64_t r = 0; r < rows; ++r) {
    float* row = slopes + r * kBlock;
    const float* normalizers = p.normalizers + begin;
    const float* weights = p.weights + begin;
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      const auto share =
          hn::Exp(d, hn::MulSub(hn::Load(d, row + i), scale, hn::LoadU(d, normalizers + i)));
      hn::Store(hn::Mul(hn::Mul(share, hn::LoadU(d, weights + i)), scale), d, row + i);
    }
    for (; i < count; ++i)
      row[i] = std::exp(row[i] * p.logit_scale - normalizers[i]) * weights[i] * p.logit_scale;
  }
  for (int64_t i = 0; i < count; ++i) {
    const int64_t target = p.targets[begin + i] - v;
    if (target >= 0 && target < rows)
      slopes[target * kBlock + i] -= p.weights[begin + i] * p.logit_scale;
  }
}

void head_gradient_tile(const HeadGradientProblem& p, int64_t v, float* gradient) {
  const int64_t rows = std::min(kTile, p.vocabulary - v);
  float* slopes = scratch<float>(Scratch::kLogits, static_cast<size_t>(kTile * kBlock));
  for (int64_t begin = 0; begin < p.tokens; begin += kBlock) {
    const int64_t count = std::min(kBlock, p.tokens - begin);
    RightFactor hidden{.form = RightFactor::Form::kMatrixTransposed,
                       .matrix = p.hidden + begin * p.width,
                       .stride = p.width};
    const GemmTerm logits{.a = p.head + v * p.width, .stride = p.width, .k = p.width, .b = hidden};
    gemm_block({&logits, 1}, {.c = slopes, .stride = kBlock, .m = rows, .n = count});
    to_slopes(p, v, rows, begin, count, slopes);
    hidden.form = RightFactor::Form::kMatrix;
    const GemmTerm outer{.a = slopes, .stride = kBlock, .k = count, .b = hidden};
    gemm_block({&outer, 1}, {.c = gradient + v * p.width,
                             .stride = p.width,
                             .m = rows,
                             .n = p.width,
                             .accumulate = begin > 0});
  }
}

void head_gradient_tiles(const HeadGradientProblem& p, float* gradient) {
  const int64_t tiles = (p.vocabulary + kTile - 1) / kTile;
  parallel_for(tiles, 1, [&](int64_t from, int64_t to, int) {
    for (int64_t t = from; t < to; ++t) head_gradient_tile(p, t * kTile, gradient);
  });
}

}  // namespace toolkit::tensor::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(head_gradient_tiles);

void head_gradient(const HeadGradientProblem& problem, float* gradient) {
  HWY_DYNAMIC_DISPATCH(head_gradient_tiles)(problem, gradient);
}

}  // namespace toolkit::tensor::cpu
#endif

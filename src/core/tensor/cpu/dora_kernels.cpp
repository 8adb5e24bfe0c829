#include "core/tensor/cpu/dora_kernels.h"

#include "core/tensor/cpu/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/dora_kernels.cpp"
#include "hwy/foreach_target.h"

#include "core/tensor/cpu/simd_math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu {
namespace HWY_NAMESPACE {

// Rounding may leave a row of zeros below zero; its outputs are zeros whatever the factor.
constexpr float kLeastSquare = 1e-30f;

/// Of as many columns as `d` has lanes.
template <class D>
HWY_INLINE void ScaleOfColumns(D d, const DoraOutputs& p, int64_t column) {
  const float* b = p.b + column;
  auto squares = hn::LoadU(d, p.squared_norms + column);
  for (int64_t r = 0; r < p.rank; ++r) {
    const auto direction = hn::LoadU(d, p.directions + r * p.outputs + column);
    auto change = hn::Zero(d);
    for (int64_t q = 0; q < p.rank; ++q)
      change =
          hn::MulAdd(hn::Set(d, p.gram[r * p.rank + q]), hn::LoadU(d, b + q * p.outputs), change);
    const auto both = hn::MulAdd(direction, hn::Set(d, 2.0f * p.factor),
                                 hn::Mul(change, hn::Set(d, p.factor * p.factor)));
    squares = hn::MulAdd(hn::LoadU(d, b + r * p.outputs), both, squares);
  }
  const auto norm = hn::Sqrt(hn::Max(squares, hn::Set(d, kLeastSquare)));
  hn::StoreU(hn::Div(hn::LoadU(d, p.magnitude + column), norm), d, p.scale + column);
}

void ScaleDoraColumns(const DoraOutputs& p, int64_t begin, int64_t end) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t column = begin;
  for (; column + lanes <= end; column += lanes) ScaleOfColumns(d, p, column);
  for (; column < end; ++column) ScaleOfColumns(hn::CappedTag<float, 1>(), p, column);
  float* y = p.y;
  for (int64_t row = 0; row < p.rows; ++row, y += p.outputs) {
    int64_t i = begin;
    for (; i + lanes <= end; i += lanes) {
      const auto add = p.bias ? hn::LoadU(d, p.bias + i) : hn::Zero(d);
      hn::StoreU(hn::MulAdd(hn::LoadU(d, y + i), hn::LoadU(d, p.scale + i), add), d, y + i);
    }
    for (; i < end; ++i) y[i] = y[i] * p.scale[i] + (p.bias ? p.bias[i] : 0.0f);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace toolkit::tensor::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(ScaleDoraColumns);

void scale_dora_outputs(const DoraOutputs& problem) {
  constexpr int64_t kColumnsPerTask = 64;
  parallel_for(problem.outputs, kColumnsPerTask, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(ScaleDoraColumns)(problem, begin, end);
  });
}

}  // namespace toolkit::tensor::cpu
#endif

#include "core/tensor/cpu/adamw_kernels.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/adamw_kernels.cpp"
#include "hwy/foreach_target.h"

#include "core/tensor/cpu/simd_math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu {
namespace HWY_NAMESPACE {

double SumOfSquares(const float* values, int64_t count) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  constexpr int64_t kBlock = 4096;  // f32 sums stay short
  double total = 0.0;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t end = begin + kBlock < count ? begin + kBlock : count;
    auto a = hn::Zero(d), b = hn::Zero(d);
    int64_t i = begin;
    for (; i + 2 * lanes <= end; i += 2 * lanes) {
      const auto x = hn::LoadU(d, values + i), y = hn::LoadU(d, values + i + lanes);
      a = hn::MulAdd(x, x, a);
      b = hn::MulAdd(y, y, b);
    }
    float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(a, b)));
    for (; i < end; ++i) sum += values[i] * values[i];
    total += static_cast<double>(sum);
  }
  return total;
}

void AdamwUpdate(const float* parameter, const float* gradient, const float* m, const float* v,
                 float* parameter_out, float* m_out, float* v_out, int64_t count,
                 const AdamwFactors& f) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto beta1 = hn::Set(d, f.beta1), beta2 = hn::Set(d, f.beta2);
  const auto rest1 = hn::Set(d, 1.0f - f.beta1), rest2 = hn::Set(d, 1.0f - f.beta2);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto g = hn::Mul(hn::LoadU(d, gradient + i), hn::Set(d, f.gradient));
    const auto first = hn::MulAdd(hn::LoadU(d, m + i), beta1, hn::Mul(g, rest1));
    const auto second = hn::MulAdd(hn::LoadU(d, v + i), beta2, hn::Mul(hn::Mul(g, g), rest2));
    const auto root = hn::Add(hn::Sqrt(hn::Mul(second, hn::Set(d, f.second))), hn::Set(d, f.eps));
    const auto change = hn::Div(hn::Mul(first, hn::Set(d, f.rate)), root);
    hn::StoreU(hn::MulSub(hn::LoadU(d, parameter + i), hn::Set(d, f.decay), change), d,
               parameter_out + i);
    hn::StoreU(first, d, m_out + i);
    hn::StoreU(second, d, v_out + i);
  }
  for (; i < count; ++i) {
    const float g = gradient[i] * f.gradient;
    const float first = m[i] * f.beta1 + g * (1.0f - f.beta1);
    const float second = v[i] * f.beta2 + g * g * (1.0f - f.beta2);
    parameter_out[i] =
        parameter[i] * f.decay - first * f.rate / (std::sqrt(second * f.second) + f.eps);
    m_out[i] = first;
    v_out[i] = second;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace toolkit::tensor::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(SumOfSquares);
HWY_EXPORT(AdamwUpdate);

double sum_of_squares(const float* values, int64_t count) {
  return HWY_DYNAMIC_DISPATCH(SumOfSquares)(values, count);
}

void adamw_update(const float* parameter, const float* gradient, const float* m, const float* v,
                  float* parameter_out, float* m_out, float* v_out, int64_t count,
                  const AdamwFactors& factors) {
  HWY_DYNAMIC_DISPATCH(AdamwUpdate)(parameter, gradient, m, v, parameter_out, m_out, v_out, count,
                                    factors);
}

}  // namespace toolkit::tensor::cpu
#endif

#include "core/tensor/cpu/encoder_kernels.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/encoder_kernels.cpp"
#include "hwy/foreach_target.h"

#include "core/tensor/cpu/simd_math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu {
namespace HWY_NAMESPACE {

constexpr float kSqrtHalf = 0.70710678118654752f;
constexpr float kGeluRoot = 0.7978845608028654f;  // sqrt(2 / pi)
constexpr float kGeluCubic = 0.044715f;

/// erfc(x) for x >= 0 to 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26).
HWY_INLINE FloatVec erfc_of_positive(Floats d, FloatVec x) {
  const auto t = reciprocal(d, hn::MulAdd(x, hn::Set(d, 0.3275911f), hn::Set(d, 1.0f)));
  auto p = hn::Set(d, 1.061405429f);
  p = hn::MulAdd(p, t, hn::Set(d, -1.453152027f));
  p = hn::MulAdd(p, t, hn::Set(d, 1.421413741f));
  p = hn::MulAdd(p, t, hn::Set(d, -0.284496736f));
  p = hn::MulAdd(p, t, hn::Set(d, 0.254829592f));
  return hn::Mul(hn::Mul(p, t), exp_fast(d, hn::Neg(hn::Mul(x, x))));
}

template <Activation kind>
HWY_INLINE FloatVec activated(Floats d, FloatVec x) {
  if constexpr (kind == Activation::kRelu) {
    return hn::Max(x, hn::Zero(d));
  } else if constexpr (kind == Activation::kGelu) {
    // Phi(x) is erfc(-x / sqrt 2) / 2: below zero taken as it is, so that nothing cancels.
    const auto half =
        hn::Mul(hn::Set(d, 0.5f), erfc_of_positive(d, hn::Mul(hn::Abs(x), hn::Set(d, kSqrtHalf))));
    const auto negative = hn::Lt(x, hn::Zero(d));
    return hn::Mul(x, hn::IfThenElse(negative, half, hn::Sub(hn::Set(d, 1.0f), half)));
  } else {
    // (1 + tanh(u)) / 2 is the sigmoid of 2 u.
    const auto cubic = hn::MulAdd(hn::Mul(x, x), hn::Set(d, kGeluCubic), hn::Set(d, 1.0f));
    return hn::Mul(x,
                   sigmoid_fast(d, hn::Mul(hn::Mul(x, hn::Set(d, 2.0f * kGeluRoot)), cubic)).value);
  }
}

template <Activation kind>
void activate_all(const float* x, float* y, int64_t count) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    hn::StoreU(activated<kind>(d, hn::LoadU(d, x + i)), d, y + i);
  for (; i < count; ++i) y[i] = hn::GetLane(activated<kind>(d, hn::Set(d, x[i])));
}

void Activate(const float* x, float* y, int64_t count, Activation kind) {
  if (kind == Activation::kRelu) return activate_all<Activation::kRelu>(x, y, count);
  if (kind == Activation::kGelu) return activate_all<Activation::kGelu>(x, y, count);
  return activate_all<Activation::kGeluTanh>(x, y, count);
}

/// Adds delta into y while summing, or only sums.
float summed_row(const float* x, const float* delta, float* y, int64_t width) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto sums = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= width; i += lanes) {
    const auto values =
        delta ? hn::Add(hn::LoadU(d, x + i), hn::LoadU(d, delta + i)) : hn::LoadU(d, x + i);
    sums = hn::Add(sums, values);
    hn::StoreU(values, d, y + i);
  }
  float total = hn::GetLane(hn::SumOfLanes(d, sums));
  for (; i < width; ++i) total += y[i] = x[i] + (delta ? delta[i] : 0.0f);
  return total;
}

float squared_distances(const float* y, float mean, int64_t width) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto means = hn::Set(d, mean);
  auto sums = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= width; i += lanes) {
    const auto distance = hn::Sub(hn::LoadU(d, y + i), means);
    sums = hn::MulAdd(distance, distance, sums);
  }
  float total = hn::GetLane(hn::SumOfLanes(d, sums));
  for (; i < width; ++i) total += (y[i] - mean) * (y[i] - mean);
  return total;
}

void LayerNormRows(const float* x, const float* delta, const float* weight, const float* bias,
                   float* y, int64_t rows, int64_t width, float eps) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t row = 0; row < rows; ++row) {
    float* out = y + row * width;
    const float mean =
        summed_row(x + row * width, delta ? delta + row * width : nullptr, out, width) /
        static_cast<float>(width);
    const float variance = squared_distances(out, mean, width) / static_cast<float>(width);
    const float factor = 1.0f / std::sqrt(variance + eps);
    const auto means = hn::Set(d, mean), factors = hn::Set(d, factor);
    int64_t i = 0;
    for (; i + lanes <= width; i += lanes) {
      const auto normed = hn::Mul(hn::Sub(hn::LoadU(d, out + i), means), factors);
      hn::StoreU(hn::MulAdd(normed, hn::LoadU(d, weight + i), hn::LoadU(d, bias + i)), d, out + i);
    }
    for (; i < width; ++i) out[i] = (out[i] - mean) * factor * weight[i] + bias[i];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace toolkit::tensor::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(Activate);
HWY_EXPORT(LayerNormRows);

void activate(const float* x, float* y, int64_t count, Activation kind) {
  HWY_DYNAMIC_DISPATCH(Activate)(x, y, count, kind);
}

void layer_norm_rows(const float* x, const float* delta, const float* weight, const float* bias,
                     float* y, int64_t rows, int64_t width, float eps) {
  HWY_DYNAMIC_DISPATCH(LayerNormRows)(x, delta, weight, bias, y, rows, width, eps);
}

}  // namespace toolkit::tensor::cpu
#endif

// Vector mathematics inside HWY_NAMESPACE; included once per target by the kernel files.
#if defined(TOOLKIT_SIMD_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOOLKIT_SIMD_MATH_INL_H_
#undef TOOLKIT_SIMD_MATH_INL_H_
#else
#define TOOLKIT_SIMD_MATH_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
using FloatVec = hn::Vec<Floats>;

/// e^x, relative error below 3e-7 (3 ulp). Below -87.3 the result is 0; above 88.3 it stays at
/// e^88.3, never inf.
HWY_INLINE FloatVec exp_fast(Floats d, FloatVec x) {
  const hn::RebindToSigned<Floats> di;
  const auto lowest = hn::Set(d, -87.3f);
  const auto clamped = hn::Min(hn::Max(x, lowest), hn::Set(d, 88.3f));
  const auto n = hn::Round(hn::Mul(clamped, hn::Set(d, 1.44269504089f)));
  // ln 2 in two parts: the first has few enough bits that n * part is exact.
  auto r = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), clamped);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r);
  // Taylor series to r^7: |r| <= ln(2) / 2, so the rest is below 6e-9.
  auto p = hn::Set(d, 1.0f / 5040.0f);
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f / 720.0f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f / 120.0f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f / 24.0f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f / 6.0f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.5f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  const auto exponent = hn::ShiftLeft<23>(hn::Add(hn::ConvertTo(di, n), hn::Set(di, 127)));
  const auto y = hn::Mul(p, hn::BitCast(d, exponent));
  return hn::IfThenElseZero(hn::Ge(x, lowest), y);
}

/// 2^x for x <= 0, relative error below 4e-7; below -126 the result is 0.
HWY_INLINE FloatVec exp2_of_negative(Floats d, FloatVec x) {
  const hn::RebindToSigned<Floats> di;
  const auto lowest = hn::Set(d, -126.0f);
  const auto n = hn::Round(hn::Max(x, lowest));
  const auto r = hn::Sub(hn::Max(x, lowest), n);
  // ln(2)^k / k!; |r| <= 1/2, so the rest is below 1.3e-7.
  auto p = hn::Set(d, 1.5403530393381608e-4f);
  p = hn::MulAdd(p, r, hn::Set(d, 1.3333558146428443e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 9.6181291076284770e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 5.5504108664821580e-2f));
  p = hn::MulAdd(p, r, hn::Set(d, 2.4022650695910072e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 6.9314718055994531e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  const auto scaled = hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::ConvertTo(di, n)));
  return hn::IfThenElseZero(hn::Gt(x, lowest), hn::BitCast(d, scaled));
}

/// 1 / x to about 1 ulp for normal x.
HWY_INLINE FloatVec reciprocal(Floats d, FloatVec x) {
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
  const auto guess = hn::ApproximateReciprocal(x);
  return hn::MulAdd(guess, hn::NegMulAdd(x, guess, hn::Set(d, 1.0f)), guess);
#else
  return hn::Div(hn::Set(d, 1.0f), x);
#endif
}

/// s = 1 / (1 + e^-x) and, without the cancellation of s (1 - s), its slope.
struct Sigmoid {
  FloatVec value, slope;
};
HWY_INLINE Sigmoid sigmoid_fast(Floats d, FloatVec x) {
  const auto e = exp_fast(d, hn::Neg(hn::Abs(x)));
  const auto s = reciprocal(d, hn::Add(hn::Set(d, 1.0f), e));
  const auto other = hn::Mul(e, s);  // 1 - s
  return {hn::IfThenElse(hn::Lt(x, hn::Zero(d)), other, s), hn::Mul(s, other)};
}

/// tanh(x) = x * P(x^2) near zero, where 1 - 2 / (e^2x + 1) would cancel.
HWY_INLINE FloatVec tanh_fast(Floats d, FloatVec x) {
  const auto one = hn::Set(d, 1.0f);
  const auto large =
      hn::NegMulAdd(hn::Set(d, 2.0f), reciprocal(d, hn::Add(exp_fast(d, hn::Add(x, x)), one)), one);
  const auto square = hn::Mul(x, x);
  // Odd Taylor series to x^11, used for |x| < 0.25.
  auto p = hn::Set(d, -1382.0f / 155925.0f);
  p = hn::MulAdd(p, square, hn::Set(d, 62.0f / 2835.0f));
  p = hn::MulAdd(p, square, hn::Set(d, -17.0f / 315.0f));
  p = hn::MulAdd(p, square, hn::Set(d, 2.0f / 15.0f));
  p = hn::MulAdd(p, square, hn::Set(d, -1.0f / 3.0f));
  const auto small = hn::MulAdd(hn::Mul(p, square), x, x);
  return hn::IfThenElse(hn::Lt(hn::Abs(x), hn::Set(d, 0.25f)), small, large);
}

}  // namespace HWY_NAMESPACE
}  // namespace toolkit::tensor::cpu
HWY_AFTER_NAMESPACE();

#endif

#include "core/tensor/cpu/gated_activation_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/gated_activation_kernels.cpp"
#include "hwy/foreach_target.h"

#include "core/tensor/cpu/simd_math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu {
namespace HWY_NAMESPACE {

constexpr float kGeluRoot = 0.7978845608028654f;  // sqrt(2 / pi)
constexpr float kGeluCubic = 0.044715f;

/// Value and slope of the activation at x; the slope only if asked for.
template <Gate kind, bool with_slope>
HWY_INLINE FloatVec activate(Floats d, FloatVec x, FloatVec& slope) {
  [[maybe_unused]] const auto one = hn::Set(d, 1.0f);
  if constexpr (kind == Gate::kSilu) {
    const Sigmoid s = sigmoid_fast(d, x);
    if constexpr (with_slope) slope = hn::MulAdd(x, s.slope, s.value);
    return hn::Mul(x, s.value);
  } else {
    // (1 + tanh(u)) / 2 is the sigmoid of 2 u.
    const auto square = hn::Mul(x, x);
    const Sigmoid s = sigmoid_fast(d, hn::Mul(hn::Mul(x, hn::Set(d, 2.0f * kGeluRoot)),
                                              hn::MulAdd(square, hn::Set(d, kGeluCubic), one)));
    if constexpr (with_slope) {
      const auto inner_slope = hn::Mul(hn::Set(d, 2.0f * kGeluRoot),
                                       hn::MulAdd(square, hn::Set(d, 3.0f * kGeluCubic), one));
      slope = hn::MulAdd(hn::Mul(x, s.slope), inner_slope, s.value);
    }
    return hn::Mul(x, s.value);
  }
}

template <Gate kind>
void forward(const float* gate, const float* up, float* out, int64_t count) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto unused = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto value = activate<kind, false>(d, hn::LoadU(d, gate + i), unused);
    hn::StoreU(hn::Mul(value, hn::LoadU(d, up + i)), d, out + i);
  }
  for (; i < count; ++i) {
    const auto value = activate<kind, false>(d, hn::Set(d, gate[i]), unused);
    out[i] = hn::GetLane(value) * up[i];
  }
}

template <Gate kind>
void backward(const float* gate, const float* up, const float* dout, float* dgate, float* dup,
              int64_t count) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto slope = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto value = activate<kind, true>(d, hn::LoadU(d, gate + i), slope);
    const auto g = hn::LoadU(d, dout + i), u = hn::LoadU(d, up + i);
    hn::StoreU(hn::Mul(g, hn::Mul(u, slope)), d, dgate + i);
    hn::StoreU(hn::Mul(g, value), d, dup + i);
  }
  for (; i < count; ++i) {
    const auto value = activate<kind, true>(d, hn::Set(d, gate[i]), slope);
    const float g = dout[i], u = up[i];
    dgate[i] = g * u * hn::GetLane(slope);
    dup[i] = g * hn::GetLane(value);
  }
}

void GatedForward(const float* gate, const float* up, float* out, int64_t count, Gate kind) {
  if (kind == Gate::kSilu) return forward<Gate::kSilu>(gate, up, out, count);
  return forward<Gate::kGeluTanh>(gate, up, out, count);
}

void GatedBackward(const float* gate, const float* up, const float* dout, float* dgate, float* dup,
                   int64_t count, Gate kind) {
  if (kind == Gate::kSilu) return backward<Gate::kSilu>(gate, up, dout, dgate, dup, count);
  return backward<Gate::kGeluTanh>(gate, up, dout, dgate, dup, count);
}

}  // namespace HWY_NAMESPACE
}  // namespace toolkit::tensor::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(GatedForward);
HWY_EXPORT(GatedBackward);

void gated_forward(const float* gate, const float* up, float* out, int64_t count, Gate kind) {
  HWY_DYNAMIC_DISPATCH(GatedForward)(gate, up, out, count, kind);
}

void gated_backward(const float* gate, const float* up, const float* dout, float* dgate, float* dup,
                    int64_t count, Gate kind) {
  HWY_DYNAMIC_DISPATCH(GatedBackward)(gate, up, dout, dgate, dup, count, kind);
}

}  // namespace toolkit::tensor::cpu
#endif

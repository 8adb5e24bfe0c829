#include "core/tensor/cpu/optimizer_kernels.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/optimizer_kernels.cpp"
#include "hwy/foreach_target.h"

#include "core/tensor/cpu/simd_math-inl.h"
#include "core/tensor/optimizer_update.h"
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

void AddTo(float* sum, const float* values, int64_t count) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    hn::StoreU(hn::Add(hn::LoadU(d, sum + i), hn::LoadU(d, values + i)), d, sum + i);
  for (; i < count; ++i) sum[i] += values[i];
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

// moment = codes * scale, for the elements of one block.
HWY_INLINE void LoadMoment(const int8_t* codes, float scale, int64_t size, float* moment) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  const hn::Rebind<int8_t, Floats> d8;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    const auto whole = hn::ConvertTo(d, hn::PromoteTo(di, hn::LoadU(d8, codes + i)));
    hn::StoreU(hn::Mul(whole, hn::Set(d, scale)), d, moment + i);
  }
  for (; i < size; ++i) moment[i] = static_cast<float>(codes[i]) * scale;
}

// Codes of one block; its new scale is the result.
HWY_INLINE float StoreMoment(const float* moment, int64_t size, int8_t* codes) {
  const Floats d;
  const hn::Rebind<int8_t, Floats> d8;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto most = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= size; i += lanes) most = hn::Max(most, hn::Abs(hn::LoadU(d, moment + i)));
  float largest = hn::GetLane(hn::MaxOfLanes(d, most));
  for (; i < size; ++i) largest = std::max(largest, std::fabs(moment[i]));
  const float scale = largest * (1.0f / 127.0f), divisor = scale == 0.0f ? 1.0f : scale;
  for (i = 0; i + lanes <= size; i += lanes) {
    const auto share = hn::Div(hn::LoadU(d, moment + i), hn::Set(d, divisor));
    hn::StoreU(hn::DemoteTo(d8, hn::NearestInt(share)), d8, codes + i);
  }
  for (; i < size; ++i) codes[i] = static_cast<int8_t>(std::nearbyint(moment[i] / divisor));
  return scale;
}

void Adamw8bitUpdate(const float* parameter, const float* gradient, const Moment8& m,
                     const float* v, float* parameter_out, float* v_out, int64_t count,
                     const AdamwFactors& f) {
  float moment[kMomentBlock];
  for (int64_t begin = 0; begin < count; begin += kMomentBlock) {
    const int64_t size = std::min<int64_t>(kMomentBlock, count - begin);
    const int64_t block = begin / kMomentBlock;
    LoadMoment(m.codes + begin, m.scales[block], size, moment);
    AdamwUpdate(parameter + begin, gradient + begin, moment, v + begin, parameter_out + begin,
                moment, v_out + begin, size, f);
    m.scales_out[block] = StoreMoment(moment, size, m.codes_out + begin);
  }
}

void LionUpdate(const float* parameter, const float* gradient, const float* m, float* parameter_out,
                float* m_out, int64_t count, const LionFactors& f) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto rate = hn::Set(d, f.rate);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto g = hn::Mul(hn::LoadU(d, gradient + i), hn::Set(d, f.gradient));
    const auto old = hn::LoadU(d, m + i);
    const auto direction =
        hn::MulAdd(old, hn::Set(d, f.beta1), hn::Mul(g, hn::Set(d, 1.0f - f.beta1)));
    const auto change =
        hn::IfThenZeroElse(hn::Eq(direction, hn::Zero(d)), hn::CopySign(rate, direction));
    hn::StoreU(hn::MulSub(hn::LoadU(d, parameter + i), hn::Set(d, f.decay), change), d,
               parameter_out + i);
    hn::StoreU(hn::MulAdd(old, hn::Set(d, f.beta2), hn::Mul(g, hn::Set(d, 1.0f - f.beta2))), d,
               m_out + i);
  }
  for (; i < count; ++i) {
    const float g = gradient[i] * f.gradient, old = m[i];
    const float direction = old * f.beta1 + g * (1.0f - f.beta1);
    const float change = direction == 0.0f ? 0.0f : std::copysign(f.rate, direction);
    parameter_out[i] = parameter[i] * f.decay - change;
    m_out[i] = old * f.beta2 + g * (1.0f - f.beta2);
  }
}

void SgdUpdate(const float* parameter, const float* gradient, const float* m, float* parameter_out,
               float* m_out, int64_t count, const SgdFactors& f) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto momentum = hn::Set(d, f.momentum);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto p = hn::LoadU(d, parameter + i);
    const auto g = hn::MulAdd(p, hn::Set(d, f.weight_decay),
                              hn::Mul(hn::LoadU(d, gradient + i), hn::Set(d, f.gradient)));
    auto change = g;
    if (m) {
      const auto moving = hn::MulAdd(hn::LoadU(d, m + i), momentum, g);
      hn::StoreU(moving, d, m_out + i);
      change = f.nesterov ? hn::MulAdd(moving, momentum, g) : moving;
    }
    hn::StoreU(hn::NegMulAdd(change, hn::Set(d, f.rate), p), d, parameter_out + i);
  }
  for (; i < count; ++i) {
    const float g = gradient[i] * f.gradient + parameter[i] * f.weight_decay;
    float change = g;
    if (m) {
      m_out[i] = m[i] * f.momentum + g;
      change = f.nesterov ? g + f.momentum * m_out[i] : m_out[i];
    }
    parameter_out[i] = parameter[i] - f.rate * change;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace toolkit::tensor::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(SumOfSquares);
HWY_EXPORT(AddTo);
HWY_EXPORT(AdamwUpdate);
HWY_EXPORT(Adamw8bitUpdate);
HWY_EXPORT(LionUpdate);
HWY_EXPORT(SgdUpdate);

double sum_of_squares(const float* values, int64_t count) {
  return HWY_DYNAMIC_DISPATCH(SumOfSquares)(values, count);
}

void adamw_update(const float* parameter, const float* gradient, const float* m, const float* v,
                  float* parameter_out, float* m_out, float* v_out, int64_t count,
                  const AdamwFactors& factors) {
  HWY_DYNAMIC_DISPATCH(AdamwUpdate)(parameter, gradient, m, v, parameter_out, m_out, v_out, count,
                                    factors);
}

void add_to(float* sum, const float* values, int64_t count) {
  HWY_DYNAMIC_DISPATCH(AddTo)(sum, values, count);
}

void adamw_8bit_update(const float* parameter, const float* gradient, const Moment8& m,
                       const float* v, float* parameter_out, float* v_out, int64_t count,
                       const AdamwFactors& factors) {
  HWY_DYNAMIC_DISPATCH(Adamw8bitUpdate)(parameter, gradient, m, v, parameter_out, v_out, count,
                                        factors);
}

void lion_update(const float* parameter, const float* gradient, const float* m,
                 float* parameter_out, float* m_out, int64_t count, const LionFactors& factors) {
  HWY_DYNAMIC_DISPATCH(LionUpdate)(parameter, gradient, m, parameter_out, m_out, count, factors);
}

void sgd_update(const float* parameter, const float* gradient, const float* m, float* parameter_out,
                float* m_out, int64_t count, const SgdFactors& factors) {
  HWY_DYNAMIC_DISPATCH(SgdUpdate)(parameter, gradient, m, parameter_out, m_out, count, factors);
}

}  // namespace toolkit::tensor::cpu
#endif

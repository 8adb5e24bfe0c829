#include "core/tensor/cpu/rope_kernels.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/rope_kernels.cpp"
#include "hwy/foreach_target.h"

#include "core/tensor/cpu/simd_math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu {
namespace HWY_NAMESPACE {

void RopeToken(const float* from, float* to, const float* angles, int64_t heads, int64_t width,
               int64_t half, bool backward) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const float direction = backward ? -1.0f : 1.0f;
  for (int64_t head = 0; head < heads; ++head, from += width, to += width) {
    int64_t i = 0;
    for (; i + lanes <= half; i += lanes) {
      const auto cosine = hn::LoadU(d, angles + i);
      const auto sine = hn::Mul(hn::LoadU(d, angles + half + i), hn::Set(d, direction));
      const auto a = hn::LoadU(d, from + i), b = hn::LoadU(d, from + half + i);
      hn::StoreU(hn::NegMulAdd(b, sine, hn::Mul(a, cosine)), d, to + i);
      hn::StoreU(hn::MulAdd(a, sine, hn::Mul(b, cosine)), d, to + half + i);
    }
    for (; i < half; ++i) {
      const float a = from[i], b = from[half + i], sine = direction * angles[half + i];
      to[i] = a * angles[i] - b * sine;
      to[half + i] = b * angles[i] + a * sine;
    }
    if (2 * half < width && from != to)
      std::memcpy(to + 2 * half, from + 2 * half,
                  static_cast<size_t>(width - 2 * half) * sizeof(float));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace toolkit::tensor::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(RopeToken);

void rope_token(const float* from, float* to, const float* angles, int64_t heads, int64_t width,
                int64_t half, bool backward) {
  HWY_DYNAMIC_DISPATCH(RopeToken)(from, to, angles, heads, width, half, backward);
}

}  // namespace toolkit::tensor::cpu
#endif

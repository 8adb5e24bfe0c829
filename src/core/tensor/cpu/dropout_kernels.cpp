#include "core/tensor/cpu/dropout_kernels.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/dropout_kernels.cpp"
#include "hwy/foreach_target.h"

#include "core/tensor/cpu/simd_math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu {
namespace HWY_NAMESPACE {

using Words = hn::RebindToUnsigned<Floats>;
using WordVec = hn::Vec<Words>;

HWY_INLINE WordVec hashed(Words d, WordVec h) {
  h = hn::Mul(hn::Xor(h, hn::ShiftRight<16>(h)), hn::Set(d, 0x7feb352du));
  h = hn::Mul(hn::Xor(h, hn::ShiftRight<15>(h)), hn::Set(d, 0x846ca68bu));
  return hn::Xor(h, hn::ShiftRight<16>(h));
}

void DropoutRange(const float* x, float* y, int64_t begin, int64_t end, const DropoutDraw& draw) {
  const Floats d;
  const Words words;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto factor = hn::Set(d, draw.factor);
  const auto some = [&](int64_t i) HWY_ATTR {
    const auto at = hn::Iota(words, static_cast<uint32_t>(i) + draw.key_low);
    const auto hash = hashed(words, hn::Xor(hashed(words, at), hn::Set(words, draw.key_high)));
    return hn::RebindMask(d, hn::Not(hn::Lt(hash, hn::Set(words, draw.threshold))));
  };
  int64_t i = begin;
  for (; i + lanes <= end; i += lanes)
    hn::StoreU(hn::IfThenElseZero(some(i), hn::Mul(hn::LoadU(d, x + i), factor)), d, y + i);
  if (i >= end) return;
  HWY_ALIGN float rest[hn::MaxLanes(d)] = {};
  std::copy(x + i, x + end, rest);
  hn::Store(hn::IfThenElseZero(some(i), hn::Mul(hn::Load(d, rest), factor)), d, rest);
  std::copy(rest, rest + (end - i), y + i);
}

}  // namespace HWY_NAMESPACE
}  // namespace toolkit::tensor::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(DropoutRange);

void dropout_range(const float* x, float* y, int64_t begin, int64_t end, const DropoutDraw& draw) {
  HWY_DYNAMIC_DISPATCH(DropoutRange)(x, y, begin, end, draw);
}

}  // namespace toolkit::tensor::cpu
#endif

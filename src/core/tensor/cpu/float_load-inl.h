// Loading f32, f16 and bf16 numbers as f32 vectors. Included once per target by foreach_target.

#include <hwy/highway.h>

#include "core/tensor/cpu/weight_view.h"

#if defined(TOOLKIT_FLOAT_LOAD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOOLKIT_FLOAT_LOAD_INL_H_
#undef TOOLKIT_FLOAT_LOAD_INL_H_
#else
#define TOOLKIT_FLOAT_LOAD_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// `Lanes(d)` numbers of `type` starting at element `index` of `data`.
template <class D>
HWY_INLINE hn::Vec<D> load_floats(D d, const void* data, FloatType type, int64_t index) {
  if (type == FloatType::kFloat32) return hn::LoadU(d, static_cast<const float*>(data) + index);
  if (type == FloatType::kFloat16) {
    const hn::Rebind<hwy::float16_t, D> dh;
    return hn::PromoteTo(d, hn::LoadU(dh, static_cast<const hwy::float16_t*>(data) + index));
  }
  const hn::Rebind<hwy::bfloat16_t, D> dh;
  return hn::PromoteTo(d, hn::LoadU(dh, static_cast<const hwy::bfloat16_t*>(data) + index));
}

/// `count` numbers of `type` from element `index` on, written as f32.
HWY_INLINE void convert_floats(const void* data, FloatType type, int64_t index, int64_t count,
                               float* out) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    hn::StoreU(load_floats(d, data, type, index + i), d, out + i);
  const hn::CappedTag<float, 1> d1;
  for (; i < count; ++i) hn::StoreU(load_floats(d1, data, type, index + i), d1, out + i);
}

}  // namespace toolkit::tensor::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

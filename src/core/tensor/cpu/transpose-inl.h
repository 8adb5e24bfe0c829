// Transposes 32-bit elements. Included once per target by foreach_target.

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#if defined(TOOLKIT_TRANSPOSE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOOLKIT_TRANSPOSE_INL_H_
#undef TOOLKIT_TRANSPOSE_INL_H_
#else
#define TOOLKIT_TRANSPOSE_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Four numbers each of the rows that lie `rows[0]`, `rows[4]`, `rows[8]` and so on from `from`.
template <class D>
HWY_INLINE hn::Vec<D> load_blocks(D d, const uint32_t* from, const int64_t* rows) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    return hn::LoadU(d, from + rows[0]);
  } else {
    const hn::Half<D> half;
    const auto low = load_blocks(half, from, rows);
    return hn::Combine(d, load_blocks(half, from, rows + hn::MaxLanes(half)), low);
  }
}

/// out[j * width + i] = source[i * stride + j] for i < rows, j < columns, in 32-bit elements.
/// `width` is a multiple of the vector; what lies behind `rows` up to the next such multiple is
/// undefined.
HWY_INLINE void transpose_words(const uint32_t* HWY_RESTRICT source, int64_t stride, int64_t rows,
                                int64_t columns, uint32_t* HWY_RESTRICT out, int64_t width) {
  const hn::ScalableTag<uint32_t> d;
  constexpr int64_t kLanes = hn::MaxLanes(hn::ScalableTag<uint32_t>());
  for (int64_t i = 0; i < rows; i += kLanes) {
    int64_t at[kLanes];
    for (int64_t r = 0; r < kLanes; ++r) at[r] = std::min(i + r, rows - 1) * stride;
    uint32_t* to = out + i;
    int64_t j = 0;
    for (; j + 4 <= columns; j += 4, to += 4 * width) {
      const uint32_t* from = source + j;
      const auto r0 = load_blocks(d, from, at), r1 = load_blocks(d, from, at + 1),
                 r2 = load_blocks(d, from, at + 2), r3 = load_blocks(d, from, at + 3);
      const auto even_low = hn::InterleaveLower(d, r0, r2),
                 odd_low = hn::InterleaveLower(d, r1, r3);
      const auto even_high = hn::InterleaveUpper(d, r0, r2),
                 odd_high = hn::InterleaveUpper(d, r1, r3);
      hn::StoreU(hn::InterleaveLower(d, even_low, odd_low), d, to);
      hn::StoreU(hn::InterleaveUpper(d, even_low, odd_low), d, to + width);
      hn::StoreU(hn::InterleaveLower(d, even_high, odd_high), d, to + 2 * width);
      hn::StoreU(hn::InterleaveUpper(d, even_high, odd_high), d, to + 3 * width);
    }
    for (; j < columns; ++j, to += width)
      for (int64_t r = 0; r < kLanes; ++r) to[r] = source[at[r] + j];
  }
}

}  // namespace toolkit::tensor::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

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

/// out[j * width + i] = source[i * stride + j] for i < rows, j < columns, in 32-bit elements.
HWY_INLINE void transpose_words(const uint32_t* HWY_RESTRICT source, int64_t stride, int64_t rows,
                                int64_t columns, uint32_t* HWY_RESTRICT out, int64_t width) {
  const hn::ScalableTag<uint32_t> d;
  const hn::CappedTag<uint32_t, 4> d4;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN uint32_t mixed[4 * hn::MaxLanes(hn::ScalableTag<uint32_t>())];
  if (rows < 4) {
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) out[j * width + i] = source[i * stride + j];
    return;
  }
  // The last four rows overlap those before them when the number is not a multiple of four.
  for (int64_t begin = 0; begin < rows; begin += 4) {
    const int64_t i = std::min(begin, rows - 4);
    const uint32_t* row = source + i * stride;
    int64_t j = 0;
    for (; j + lanes <= columns; j += lanes) {
      const auto r0 = hn::LoadU(d, row + j), r1 = hn::LoadU(d, row + stride + j);
      const auto r2 = hn::LoadU(d, row + 2 * stride + j), r3 = hn::LoadU(d, row + 3 * stride + j);
      const auto even_low = hn::InterleaveLower(d, r0, r2),
                 odd_low = hn::InterleaveLower(d, r1, r3);
      const auto even_high = hn::InterleaveUpper(d, r0, r2),
                 odd_high = hn::InterleaveUpper(d, r1, r3);
      hn::Store(hn::InterleaveLower(d, even_low, odd_low), d, mixed);
      hn::Store(hn::InterleaveUpper(d, even_low, odd_low), d, mixed + lanes);
      hn::Store(hn::InterleaveLower(d, even_high, odd_high), d, mixed + 2 * lanes);
      hn::Store(hn::InterleaveUpper(d, even_high, odd_high), d, mixed + 3 * lanes);
      uint32_t* to = out + j * width + i;
      for (int64_t block = 0; block < lanes; block += 4)
        for (int64_t column = 0; column < 4; ++column, to += width)
          hn::StoreU(hn::Load(d4, mixed + column * lanes + block), d4, to);
    }
    for (; j < columns; ++j)
      for (int64_t r = 0; r < 4; ++r) out[j * width + i + r] = row[r * stride + j];
  }
}

}  // namespace toolkit::tensor::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

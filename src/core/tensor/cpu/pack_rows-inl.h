// Puts rows of the left factor in the order the register tiles read them. Included once per target
// by foreach_target.

#include <hwy/highway.h>

#include <algorithm>

#include "core/tensor/cpu/gemm_tile-inl.h"
#include "core/tensor/cpu/transpose-inl.h"

#if defined(TOOLKIT_PACK_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOOLKIT_PACK_ROWS_INL_H_
#undef TOOLKIT_PACK_ROWS_INL_H_
#else
#define TOOLKIT_PACK_ROWS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu::HWY_NAMESPACE {

/// How m rows are cut into register tiles of nearly equal height: a short last one would waste
/// registers.
struct TileRows {
  int64_t m;
  int64_t tiles() const { return (m + kTileRows - 1) / kTileRows; }
  int64_t begin(int64_t tile) const { return m * tile / tiles(); }
  int64_t height(int64_t tile) const { return begin(tile + 1) - begin(tile); }
};

/// Tiles [from, to) of A (m, k), each column by column, so that the product reads one stream
/// instead of one per row. Tile t begins at out + t * k * kTileStride.
HWY_INLINE void pack_row_tiles(const float* a, int64_t stride, int64_t m, int64_t k, int64_t from,
                               int64_t to, float* out) {
  const TileRows rows{m};
  for (int64_t t = from; t < to; ++t)
    transpose_words(reinterpret_cast<const uint32_t*>(a + rows.begin(t) * stride), stride,
                    rows.height(t), k, reinterpret_cast<uint32_t*>(out + t * k * kTileStride),
                    kTileStride);
}

/// The same of the transposed of `a` (k, m).
HWY_INLINE void pack_column_tiles(const float* a, int64_t stride, int64_t m, int64_t k,
                                  int64_t from, int64_t to, float* out) {
  const hn::ScalableTag<float> d;
  constexpr int64_t kLanes = hn::MaxLanes(hn::ScalableTag<float>());
  const TileRows rows{m};
  for (int64_t t = from; t < to; ++t) {
    const int64_t begin = rows.begin(t), height = rows.height(t);
    float* tile = out + t * k * kTileStride;
    for (int64_t i = 0; i < k; ++i, tile += kTileStride)
      for (int64_t r = 0; r < height; r += kLanes) {
        const float* source = a + i * stride + begin + r;
        if (source + kLanes <= a + (k - 1) * stride + m) {
          hn::Store(hn::LoadU(d, source), d, tile + r);
        } else {
          std::copy_n(source, std::min(kLanes, height - r), tile + r);
        }
      }
  }
}

}  // namespace toolkit::tensor::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

// The register tile of the f32 product. Included once per target by foreach_target.

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <array>
#include <cstdint>
#include <utility>

#if defined(TOOLKIT_GEMM_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOOLKIT_GEMM_TILE_INL_H_
#undef TOOLKIT_GEMM_TILE_INL_H_
#else
#define TOOLKIT_GEMM_TILE_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// 14 rows x 2 vectors and what they are multiplied by fill 31 of 32 registers, 12 rows 27; targets
// with 16 registers take 6 rows.
#if HWY_TARGET == HWY_AVX3
constexpr int kTileRows = 14;
#elif HWY_TARGET == HWY_NEON
constexpr int kTileRows = 12;
#else
constexpr int kTileRows = 6;
#endif

/// A tile's columns in memory: filled up to whole vectors.
constexpr int64_t kTileStride = (kTileRows + hn::MaxLanes(hn::ScalableTag<float>()) - 1) /
                                hn::MaxLanes(hn::ScalableTag<float>()) *
                                hn::MaxLanes(hn::ScalableTag<float>());

/// A panel's share of one product: `k` rows of the panel against `k` columns of a tile's rows,
/// which follow each other column by column (see pack_row_tiles).
struct TileTerm {
  const float* a;
  const float* panel;
  int64_t k;
};

/// Where a tile's sums start and end: rows of `start` lie `start_stride` apart, which is 0 when all
/// rows start with the same numbers. Missing columns of C are neither read nor written.
struct TileTarget {
  float* c;
  int64_t stride;
  const float* start;
  int64_t start_stride;
  int64_t columns;  // <= the panel's width
};

/// Columns multiplied between two requests for cache lines.
constexpr int64_t kTileSteps = 8;

template <int kRows, int kVectors>
HWY_NOINLINE void multiply_tile(const TileTerm* terms, int64_t count, const TileTarget& target) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  constexpr int64_t kLanes = hn::MaxLanes(hn::ScalableTag<float>());
  constexpr int64_t kWidth = kLanes * kVectors;
  HWY_ALIGN float edge[kRows * kWidth];
  const bool whole = target.columns == kWidth;
  const float* start = target.start;
  int64_t start_stride = target.start_stride;
  if (!whole && start_stride != 0) {
    for (int r = 0; r < kRows; ++r)
      for (int64_t j = 0; j < target.columns; ++j)
        edge[r * kWidth + j] = start[r * start_stride + j];
    start = edge;
    start_stride = kWidth;
  }
  V sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v)
      sum[r][v] = hn::LoadU(d, start + r * start_stride + v * kLanes);
  const float* next_c = target.c + kRows * target.stride;
  const float* const last_c = next_c + kRows * target.stride;
  for (int64_t t = 0; t < count; ++t) {
    const float* HWY_RESTRICT panel = terms[t].panel;
    const float* HWY_RESTRICT a = terms[t].a;
    const auto step = [&](int64_t k) HWY_ATTR {
      V b[kVectors];
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) b[v] = hn::Load(d, panel + k * kWidth + v * kLanes);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const V x = hn::Set(d, a[k * kTileStride + r]);
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(x, b[v], sum[r][v]);
      }
    };
    int64_t k = terms[t].k;
    for (; k >= kTileSteps; k -= kTileSteps) {
      // The next tile's part of C, one row at a time.
      if (next_c < last_c) {
        for (int v = 0; v < kVectors; ++v) hwy::Prefetch(next_c + v * kLanes);
        next_c += target.stride;
      }
#pragma GCC unroll 8
      for (int64_t j = 0; j < kTileSteps; ++j) step(j);
      a += kTileSteps * kTileStride;
      panel += kTileSteps * kWidth;
    }
    for (; k > 0; --k) {
      step(0);
      a += kTileStride;
      panel += kWidth;
    }
  }
  float* c = whole ? target.c : edge;
  const int64_t c_stride = whole ? target.stride : kWidth;
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sum[r][v], d, c + r * c_stride + v * kLanes);
  if (whole) return;
  for (int r = 0; r < kRows; ++r)
    for (int64_t j = 0; j < target.columns; ++j)
      target.c[r * target.stride + j] = edge[r * kWidth + j];
}

using TileFunction = void (*)(const TileTerm*, int64_t, const TileTarget&);

template <int kVectors>
HWY_INLINE TileFunction tile_function(int64_t rows) {
  static constexpr auto kFunctions = []<size_t... kIndex>(std::index_sequence<kIndex...>) {
    return std::array<TileFunction, kTileRows>{
        multiply_tile<static_cast<int>(kIndex) + 1, kVectors>...};
  }(std::make_index_sequence<kTileRows>());
  return kFunctions[static_cast<size_t>(rows - 1)];
}

}  // namespace toolkit::tensor::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

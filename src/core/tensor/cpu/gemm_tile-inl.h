// The register tile of the f32 product. Included once per target by foreach_target.

#include <hwy/highway.h>

#include <cstdint>

#if defined(TOOLKIT_GEMM_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOOLKIT_GEMM_TILE_INL_H_
#undef TOOLKIT_GEMM_TILE_INL_H_
#else
#define TOOLKIT_GEMM_TILE_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// 12 rows x 2 vectors fill 24 of 32 registers; targets with 16 registers take 6 rows.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr int kTileRows = 12;
#else
constexpr int kTileRows = 6;
#endif

/// A panel's share of one product: `k` rows of the panel against `k` columns of A.
struct TileTerm {
  const float* a;
  int64_t stride;
  const float* panel;
  int64_t k;
};

struct TileTarget {
  float* c;
  int64_t stride;
  const float* bias;  // of these columns, padded to the panel's width; or null
  int64_t columns;    // <= the panel's width
  bool accumulate;
};

template <int kRows, int kVectors>
HWY_NOINLINE void multiply_tile(const TileTerm* terms, int64_t count, const TileTarget& target) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  constexpr int64_t kLanes = hn::MaxLanes(hn::ScalableTag<float>());
  constexpr int64_t kWidth = kLanes * kVectors;
  HWY_ALIGN float edge[kRows * kWidth];
  const bool whole = target.columns == kWidth;
  float* c = whole ? target.c : edge;
  const int64_t c_stride = whole ? target.stride : kWidth;
  if (!whole && target.accumulate)
    for (int r = 0; r < kRows; ++r)
      for (int64_t j = 0; j < target.columns; ++j)
        edge[r * kWidth + j] = target.c[r * target.stride + j];

  V sum[kRows][kVectors];
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v) {
      sum[r][v] = target.accumulate ? hn::LoadU(d, c + r * c_stride + v * kLanes) : hn::Zero(d);
      if (target.bias) sum[r][v] = hn::Add(sum[r][v], hn::LoadU(d, target.bias + v * kLanes));
    }
  for (int64_t t = 0; t < count; ++t) {
    const float* HWY_RESTRICT panel = terms[t].panel;
    const int64_t stride = terms[t].stride;
    // Three row pointers and small multiples of the stride keep all addresses in registers.
    const float* HWY_RESTRICT a0 = terms[t].a;
    const float* HWY_RESTRICT a4 = a0 + 4 * stride;
    const float* HWY_RESTRICT a8 = a0 + 8 * stride;
    for (int64_t k = terms[t].k; k > 0; --k) {
      V b[kVectors];
      for (int v = 0; v < kVectors; ++v) b[v] = hn::Load(d, panel + v * kLanes);
      for (int r = 0; r < kRows; ++r) {
        const float* row = (r < 4 ? a0 : r < 8 ? a4 : a8) + (r % 4) * stride;
        const V a = hn::Set(d, *row);
        for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(a, b[v], sum[r][v]);
      }
      ++a0;
      ++a4;
      ++a8;
      panel += kWidth;
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sum[r][v], d, c + r * c_stride + v * kLanes);
  if (!whole)
    for (int r = 0; r < kRows; ++r)
      for (int64_t j = 0; j < target.columns; ++j)
        target.c[r * target.stride + j] = edge[r * kWidth + j];
}

using TileFunction = void (*)(const TileTerm*, int64_t, const TileTarget&);

template <int kVectors>
HWY_INLINE TileFunction tile_function(int64_t rows) {
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
  static constexpr TileFunction kFunctions[] = {
      multiply_tile<1, kVectors>,  multiply_tile<2, kVectors>,  multiply_tile<3, kVectors>,
      multiply_tile<4, kVectors>,  multiply_tile<5, kVectors>,  multiply_tile<6, kVectors>,
      multiply_tile<7, kVectors>,  multiply_tile<8, kVectors>,  multiply_tile<9, kVectors>,
      multiply_tile<10, kVectors>, multiply_tile<11, kVectors>, multiply_tile<12, kVectors>};
#else
  static constexpr TileFunction kFunctions[] = {
      multiply_tile<1, kVectors>, multiply_tile<2, kVectors>, multiply_tile<3, kVectors>,
      multiply_tile<4, kVectors>, multiply_tile<5, kVectors>, multiply_tile<6, kVectors>};
#endif
  return kFunctions[rows - 1];
}

}  // namespace toolkit::tensor::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

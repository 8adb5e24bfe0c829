#include "core/tensor/cpu/int8_tile_x86.h"

#if defined(__x86_64__)

#include <algorithm>

#include "core/tensor/cpu/amx.h"

namespace toolkit::tensor::cpu {

namespace {

constexpr int64_t kRows = kInt8MostTileRows, kHalf = 16;

/// A group is one product of whole tiles, the last one may be half as long. Tiles 0 and 1: sums; 2
/// to 5: A and B, twice; 6 and 7: A and B half as long. (The intrinsics take nothing but written
/// numbers.)
constexpr TileShapes shapes() {
  TileShapes s;
  for (int tile = 0; tile < 6; ++tile) s.set(tile, 16, 64);
  s.set(6, 16, 32);
  s.set(7, 8, 64);
  return s;
}

/// Group g of 16 columns: its products into tile 0 or 1. Tiles, whose results come late, are filled
/// two groups ahead of their use.
template <int kParity>
TOOLKIT_AMX inline void multiply_group(const Int8Tile& t, const uint8_t* b, int64_t g) {
  const int64_t first = g * kInt8GroupQuads;
  const int8_t* a = t.a + 4 * first;
  b += first * 64;
  const bool whole = t.quads - first >= kInt8GroupQuads;
  if constexpr (kParity == 0) {
    _tile_zero(0);
    if (whole) {
      _tile_loadd(2, a, t.a_stride);
      _tile_loadd(3, b, 64);
      _tile_dpbsud(0, 2, 3);
    } else {
      _tile_loadd(6, a, t.a_stride);
      _tile_loadd(7, b, 64);
      _tile_dpbsud(0, 6, 7);
    }
  } else {
    _tile_zero(1);
    if (whole) {
      _tile_loadd(4, a, t.a_stride);
      _tile_loadd(5, b, 64);
      _tile_dpbsud(1, 4, 5);
    } else {
      _tile_loadd(6, a, t.a_stride);
      _tile_loadd(7, b, 64);
      _tile_dpbsud(1, 6, 7);
    }
  }
}

/// 16 columns of a tile. The f32 sums stay in registers, a group's whole numbers pass through the
/// first-level cache.
TOOLKIT_AMX __attribute__((noinline)) void multiply_half(const Int8Tile& t, const uint8_t* b,
                                                         int64_t column, float* sums) {
  alignas(64) int32_t whole[4][kRows * kHalf];
  __m512 sum[kRows];
  const __m512 bias = _mm512_loadu_ps(t.bias + column);
#pragma GCC unroll 16
  for (int64_t r = 0; r < kRows; ++r) sum[r] = bias;
  const int64_t groups = t.groups;
  for (int64_t step = 0; step < groups + 3; ++step) {
    // Read before it is overwritten: tile `step % 2` holds group step - 2.
    if (step >= 2 && step < groups + 2) {
      if (step % 2 == 0)
        _tile_stored(0, whole[(step - 2) % 4], 64);
      else
        _tile_stored(1, whole[(step - 2) % 4], 64);
    }
    if (step < groups) {
      if (step % 2 == 0)
        multiply_group<0>(t, b, step);
      else
        multiply_group<1>(t, b, step);
    }
    const int64_t g = step - 3;
    if (g < 0) continue;
    const int32_t* products = whole[g % 4];
    const __m512 column_scale =
        _mm512_loadu_ps(t.column_scales + g * t.column_scales_step + column);
    const float* scales = t.group_scales + g;
    const int32_t* offsets = t.group_offsets + g;
#pragma GCC unroll 16
    for (int64_t r = 0; r < kRows; ++r) {
      const __m512i product = _mm512_add_epi32(_mm512_load_si512(products + r * kHalf),
                                               _mm512_set1_epi32(offsets[r * groups]));
      sum[r] = _mm512_fmadd_ps(_mm512_mul_ps(column_scale, _mm512_set1_ps(scales[r * groups])),
                               _mm512_cvtepi32_ps(product), sum[r]);
    }
  }
#pragma GCC unroll 16
  for (int64_t r = 0; r < kRows; ++r) _mm512_store_ps(sums + r * kInt8TileColumns, sum[r]);
}

}  // namespace

TOOLKIT_AMX void begin_amx() {
  static constexpr TileShapes kShapes = shapes();
  _tile_loadconfig(&kShapes);
}

TOOLKIT_AMX void end_amx() {
  _tile_release();
}

void multiply_amx(const Int8Tile& tile, int64_t rows) {
  alignas(64) float sums[kRows * kInt8TileColumns];
  // What the end writes is far from the core's caches: asked for now, it is there by then.
  for (int64_t r = 0; r < rows; ++r) {
    __builtin_prefetch(tile.c + r * tile.c_stride, 1);
    __builtin_prefetch(tile.c + r * tile.c_stride + 16, 1);
  }
  multiply_half(tile, tile.b0, 0, sums);
  multiply_half(tile, tile.b1, kHalf, sums + kHalf);
  finish_avx512(tile, rows, sums);
}

}  // namespace toolkit::tensor::cpu

#endif

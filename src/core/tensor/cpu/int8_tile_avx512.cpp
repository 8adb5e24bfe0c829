#include "core/tensor/cpu/int8_tile_x86.h"

#if defined(__x86_64__)

#include <algorithm>

#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 takes the "undefined" registers of its own intrinsics for a mistake of ours.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#define TOOLKIT_VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,prfchw")))

namespace toolkit::tensor::cpu {

namespace {

/// As assembly: g++ 12 copies and spills the sums around its own intrinsic, which halves the speed.
TOOLKIT_VNNI inline void add_products(__m512i& sum, __m512i b, __m512i a) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(b), "v"(a));
}

/// C = [C +] sums + low low_panel for kRows rows from `first` on. Few rows: the values of a whole
/// tile would leave the registers in every step of the rank.
template <int kRows>
TOOLKIT_VNNI __attribute__((noinline)) void finish_vnni(const Int8Tile& t, int64_t first,
                                                        const float* sums) {
  __m512 value[kRows][2];
  const float* low_rows = t.low + first * t.low_stride;
  // Unrolled, or the values would live in memory: registers have no index.
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
    value[r][0] = _mm512_load_ps(sums + (first + r) * kInt8TileColumns);
    value[r][1] = _mm512_load_ps(sums + (first + r) * kInt8TileColumns + 16);
  }
  for (int64_t k = 0; k < t.rank; ++k) {
    const __m512 left = _mm512_loadu_ps(t.low_panel + k * 32),
                 right = _mm512_loadu_ps(t.low_panel + k * 32 + 16);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      const __m512 low = _mm512_set1_ps(low_rows[r * t.low_stride + k]);
      value[r][0] = _mm512_fmadd_ps(low, left, value[r][0]);
      value[r][1] = _mm512_fmadd_ps(low, right, value[r][1]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
    float* c = t.c + (first + r) * t.c_stride;
    if (t.accumulate) {
      value[r][0] = _mm512_add_ps(value[r][0], _mm512_loadu_ps(c));
      value[r][1] = _mm512_add_ps(value[r][1], _mm512_loadu_ps(c + 16));
    }
    _mm512_storeu_ps(c, value[r][0]);
    _mm512_storeu_ps(c + 16, value[r][1]);
  }
}

/// sums += the products of one group; the sums are kept in the first-level cache. A function of its
/// own, so that the registers hold a group's whole numbers and nothing else.
template <int kRows>
TOOLKIT_VNNI __attribute__((noinline)) void add_group_vnni(const Int8Tile& t, int64_t g,
                                                           float* sums) {
  const int64_t stride = t.a_stride, first = g * kInt8GroupQuads;
  const uint8_t* b0 = t.b0 + first * 64;
  const uint8_t* b1 = t.b1 + first * 64;
  const int8_t* a0 = t.a + 4 * first;
  const int8_t* a4 = a0 + 4 * stride;
  const int8_t* a8 = a0 + 8 * stride;
  __m512i sum[kRows][2];
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r)
    sum[r][0] = sum[r][1] = _mm512_set1_epi32(t.group_offsets[r * t.groups + g]);
  for (int64_t q = std::min(t.quads - first, kInt8GroupQuads); q > 0; --q) {
    const __m512i left = _mm512_load_si512(b0), right = _mm512_load_si512(b1);
    _mm_prefetch(b0 + 6 * 64, _MM_HINT_T0);
    _mm_prefetch(b1 + 6 * 64, _MM_HINT_T0);
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      const int8_t* row = (r < 4 ? a0 : r < 8 ? a4 : a8) + (r % 4) * stride;
      int32_t quad;
      __builtin_memcpy(&quad, row, 4);
      const __m512i a = _mm512_set1_epi32(quad);
      add_products(sum[r][0], left, a);
      add_products(sum[r][1], right, a);
    }
    a0 += 4;
    a4 += 4;
    a8 += 4;
    b0 += 64;
    b1 += 64;
  }
  const float* column_scales = t.column_scales + g * t.column_scales_step;
  const __m512 scale0 = _mm512_loadu_ps(column_scales),
               scale1 = _mm512_loadu_ps(column_scales + 16);
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r) {
    const __m512 scale = _mm512_set1_ps(t.group_scales[r * t.groups + g]);
    float* at = sums + r * kInt8TileColumns;
    _mm512_store_ps(at, _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sum[r][0]), scale), scale0,
                                        _mm512_load_ps(at)));
    _mm512_store_ps(at + 16, _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sum[r][1]), scale),
                                             scale1, _mm512_load_ps(at + 16)));
  }
}

template <int kRows>
TOOLKIT_VNNI void multiply_vnni_tile(const Int8Tile& t) {
  alignas(64) float sums[kRows * kInt8TileColumns];
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r) {
    _mm512_store_ps(sums + r * kInt8TileColumns, _mm512_loadu_ps(t.bias));
    _mm512_store_ps(sums + r * kInt8TileColumns + 16, _mm512_loadu_ps(t.bias + 16));
  }
  // What the end writes is far from the core's caches: asked for now, it is there by then.
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r) {
    __builtin_prefetch(t.c + r * t.c_stride, 1);
    __builtin_prefetch(t.c + r * t.c_stride + 16, 1);
  }
  for (int64_t g = 0; g < t.groups; ++g) add_group_vnni<kRows>(t, g, sums);
  if constexpr (kRows > 6) {
    finish_vnni<6>(t, 0, sums);
    finish_vnni<kRows - 6>(t, 6, sums);
  } else {
    finish_vnni<kRows>(t, 0, sums);
  }
}

}  // namespace

void multiply_vnni(const Int8Tile& tile, int64_t rows) {
  using Function = void (*)(const Int8Tile&);
  static constexpr Function kFunctions[] = {
      multiply_vnni_tile<1>,  multiply_vnni_tile<2>,  multiply_vnni_tile<3>,
      multiply_vnni_tile<4>,  multiply_vnni_tile<5>,  multiply_vnni_tile<6>,
      multiply_vnni_tile<7>,  multiply_vnni_tile<8>,  multiply_vnni_tile<9>,
      multiply_vnni_tile<10>, multiply_vnni_tile<11>, multiply_vnni_tile<12>};
  kFunctions[rows - 1](tile);
}

void finish_avx512(const Int8Tile& tile, int64_t rows, const float* sums) {
  using Function = void (*)(const Int8Tile&, int64_t, const float*);
  static constexpr Function kFunctions[] = {finish_vnni<1>, finish_vnni<2>, finish_vnni<3>,
                                            finish_vnni<4>, finish_vnni<5>, finish_vnni<6>};
  for (int64_t first = 0; first < rows; first += 6)
    kFunctions[std::min<int64_t>(rows - first, 6) - 1](tile, first, sums);
}

}  // namespace toolkit::tensor::cpu

#endif

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
  const int64_t stride = t.a_stride, b_step = t.b_step, first = g * kInt8GroupQuads;
  const uint8_t* b0 = t.b0 + first * b_step;
  const uint8_t* b1 = t.b1 + first * b_step;
  const int8_t* a0 = t.a + 4 * first;
  const int8_t* a4 = a0 + 4 * stride;
  const int8_t* a8 = a0 + 8 * stride;
  __m512i sum[kRows][2];
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r)
    sum[r][0] = sum[r][1] = _mm512_set1_epi32(t.group_offsets[r * t.groups + g]);
  for (int64_t q = std::min(t.quads - first, kInt8GroupQuads); q > 0; --q) {
    const __m512i left = _mm512_loadu_si512(b0), right = _mm512_loadu_si512(b1);
    _mm_prefetch(b0 + 6 * b_step, _MM_HINT_T0);
    _mm_prefetch(b1 + 6 * b_step, _MM_HINT_T0);
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
    b0 += b_step;
    b1 += b_step;
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

/// Each of 16 rows' ratios four times: for the four columns of a row that lie together.
struct RatioVectors {
  __m512i low, high;
};

TOOLKIT_VNNI inline RatioVectors ratio_vectors(const int16_t* ratios) {
  const __m512i all =
      _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(ratios)));
  const __m512i four = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i lanes = _mm512_mullo_epi64(four, _mm512_set1_epi64(0x0001000100010001));
  return {_mm512_permutexvar_epi16(lanes, all),
          _mm512_permutexvar_epi16(_mm512_add_epi16(lanes, _mm512_set1_epi16(8)), all)};
}

/// 16 rows x 4 columns at the row's scale instead of the group's.
TOOLKIT_VNNI inline __m512i rescaled(const uint8_t* from, const RatioVectors& by) {
  const __m512i zero_point = _mm512_set1_epi16(128);
  const auto half = [&](int at, __m512i ratio) TOOLKIT_VNNI {
    const __m512i q = _mm512_sub_epi16(
        _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + at))),
        zero_point);
    return _mm512_cvtepi16_epi8(_mm512_add_epi16(_mm512_mulhrs_epi16(q, ratio), zero_point));
  };
  return _mm512_inserti64x4(_mm512_castsi256_si512(half(0, by.low)), half(32, by.high), 1);
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

/// A vector holds four 4 x 4 squares (rows x columns): each is transposed, then the squares of four
/// neighbouring vectors are regrouped by their rows.
TOOLKIT_VNNI void repack_vnni(const uint8_t* block, int64_t block_bytes, int64_t blocks,
                              const int16_t* ratios, uint8_t* out) {
  const __m512i flip =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  for (int64_t b = 0; b < blocks; ++b, block += block_bytes, ratios += 16, out += 4 * 128) {
    const RatioVectors by = ratio_vectors(ratios);
    for (int half = 0; half < 2; ++half) {
      __m512i v[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i)
        v[i] = _mm512_shuffle_epi8(rescaled(block + (half * 4 + i) * 64, by), flip);
      const __m512i low01 = _mm512_shuffle_i32x4(v[0], v[1], 0x44),
                    high01 = _mm512_shuffle_i32x4(v[0], v[1], 0xee);
      const __m512i low23 = _mm512_shuffle_i32x4(v[2], v[3], 0x44),
                    high23 = _mm512_shuffle_i32x4(v[2], v[3], 0xee);
      const __m512i rows[4] = {
          _mm512_shuffle_i32x4(low01, low23, 0x88), _mm512_shuffle_i32x4(low01, low23, 0xdd),
          _mm512_shuffle_i32x4(high01, high23, 0x88), _mm512_shuffle_i32x4(high01, high23, 0xdd)};
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) _mm512_storeu_si512(out + i * 128 + half * 64, rows[i]);
    }
  }
}

}  // namespace toolkit::tensor::cpu

#endif

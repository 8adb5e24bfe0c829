#include "core/tensor/cpu/int8_tile.h"

#include <algorithm>

#include "core/tensor/cpu/kernel_target.h"

#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 takes the "undefined" registers of its own intrinsics for a mistake of ours.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#define TOOLKIT_AVX2 __attribute__((target("avx2,fma")))
#define TOOLKIT_VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,prfchw")))
#endif

namespace toolkit::tensor::cpu {

namespace {

/// The bias, where the sums of a tile begin; sums (rows, 32).
void begin_portable(const Int8Tile& t, int64_t rows, float* sums) {
  for (int64_t r = 0; r < rows; ++r)
    std::copy_n(t.bias, kInt8TileColumns, sums + r * kInt8TileColumns);
}

/// C = [C +] sums + low low_panel.
void finish_portable(const Int8Tile& t, int64_t rows, const float* sums) {
  for (int64_t r = 0; r < rows; ++r, sums += kInt8TileColumns)
    for (int64_t n = 0; n < kInt8TileColumns; ++n) {
      float value = sums[n];
      for (int64_t k = 0; k < t.rank; ++k)
        value += t.low[r * t.low_stride + k] * t.low_panel[k * kInt8TileColumns + n];
      float& c = t.c[r * t.c_stride + n];
      c = t.accumulate ? c + value : value;
    }
}

void multiply_portable(const Int8Tile& t, int64_t rows) {
  float sums[kInt8TileRows * kInt8TileColumns];
  begin_portable(t, rows, sums);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t g = 0; g < t.groups; ++g) {
      int32_t whole[kInt8TileColumns];
      std::fill_n(whole, kInt8TileColumns, t.group_offsets[r * t.groups + g]);
      const int64_t end = std::min(t.quads, (g + 1) * kInt8GroupQuads);
      for (int64_t q = g * kInt8GroupQuads; q < end; ++q) {
        const int8_t* a = t.a + r * t.a_stride + 4 * q;
        const uint8_t* halves[2] = {t.b0 + q * t.b_step, t.b1 + q * t.b_step};
        for (int64_t half = 0; half < 2; ++half)
          for (int64_t n = 0; n < 16; ++n)
            for (int64_t e = 0; e < 4; ++e) whole[half * 16 + n] += a[e] * halves[half][n * 4 + e];
      }
      for (int64_t n = 0; n < kInt8TileColumns; ++n)
        sums[r * kInt8TileColumns + n] += static_cast<float>(whole[n]) *
                                          t.group_scales[r * t.groups + g] *
                                          t.column_scales[g * t.column_scales_step + n];
    }
  finish_portable(t, rows, sums);
}

void repack_portable(const uint8_t* block, int64_t block_bytes, int64_t blocks,
                     const int16_t* ratios, uint8_t* out) {
  for (int64_t b = 0; b < blocks; ++b, block += block_bytes, ratios += 16)
    for (int64_t row = 0; row < 16; ++row)
      for (int64_t column = 0; column < kInt8TileColumns; ++column) {
        const int q = block[(column / 4) * 64 + row * 4 + column % 4] - 128;
        out[(b * 4 + row / 4) * 128 + column * 4 + row % 4] =
            static_cast<uint8_t>(((q * ratios[row] + (1 << 14)) >> 15) + 128);
      }
}

#if defined(__x86_64__)

/// Products of bytes in pairs: |a| times b with a's sign. 127 * 127 * 2 fits 16 bits, so nothing
/// saturates; B without its zero point leaves no offset to start from.
template <int kRows>
TOOLKIT_AVX2 void multiply_avx2(const Int8Tile& t, int64_t row, float* sums) {
  const __m256i flip = _mm256_set1_epi8(static_cast<char>(0x80)), ones = _mm256_set1_epi16(1);
  for (int64_t g = 0; g < t.groups; ++g) {
    __m256i whole[kRows][4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j)
#pragma GCC unroll 2
      for (int r = 0; r < kRows; ++r) whole[r][j] = _mm256_setzero_si256();
    const int64_t end = std::min(t.quads, (g + 1) * kInt8GroupQuads);
    for (int64_t q = g * kInt8GroupQuads; q < end; ++q) {
      __m256i a[kRows], size[kRows];
#pragma GCC unroll 2
      for (int r = 0; r < kRows; ++r) {
        int32_t quad;
        __builtin_memcpy(&quad, t.a + (row + r) * t.a_stride + 4 * q, 4);
        a[r] = _mm256_set1_epi32(quad);
        size[r] = _mm256_abs_epi8(a[r]);
      }
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        const uint8_t* at = (j < 2 ? t.b0 : t.b1) + q * t.b_step + j % 2 * 32;
        const __m256i b =
            _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)), flip);
#pragma GCC unroll 2
        for (int r = 0; r < kRows; ++r) {
          const __m256i pairs = _mm256_maddubs_epi16(size[r], _mm256_sign_epi8(b, a[r]));
          whole[r][j] = _mm256_add_epi32(whole[r][j], _mm256_madd_epi16(pairs, ones));
        }
      }
    }
#pragma GCC unroll 2
    for (int r = 0; r < kRows; ++r) {
      const __m256 scale = _mm256_set1_ps(t.group_scales[(row + r) * t.groups + g]);
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        float* sum = sums + (row + r) * kInt8TileColumns + 8 * j;
        const __m256 column = _mm256_loadu_ps(t.column_scales + g * t.column_scales_step + 8 * j);
        _mm256_storeu_ps(sum, _mm256_fmadd_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(whole[r][j]), scale),
                                              column, _mm256_loadu_ps(sum)));
      }
    }
  }
}

TOOLKIT_AVX2 void multiply_avx2_rows(const Int8Tile& t, int64_t rows) {
  alignas(64) float sums[kInt8TileRows * kInt8TileColumns];
  begin_portable(t, rows, sums);
  int64_t row = 0;
  for (; row + 2 <= rows; row += 2) multiply_avx2<2>(t, row, sums);
  if (row < rows) multiply_avx2<1>(t, row, sums);
  finish_portable(t, rows, sums);
}

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
TOOLKIT_VNNI void multiply_vnni(const Int8Tile& t) {
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

void multiply_vnni_rows(const Int8Tile& tile, int64_t rows) {
  using Function = void (*)(const Int8Tile&);
  static constexpr Function kFunctions[] = {
      multiply_vnni<1>, multiply_vnni<2>,  multiply_vnni<3>,  multiply_vnni<4>,
      multiply_vnni<5>, multiply_vnni<6>,  multiply_vnni<7>,  multiply_vnni<8>,
      multiply_vnni<9>, multiply_vnni<10>, multiply_vnni<11>, multiply_vnni<12>};
  kFunctions[rows - 1](tile);
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

#endif

}  // namespace

Int8Kernels int8_kernels() {
#if defined(__x86_64__)
  static const bool has_vnni =
      __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  const std::string target = kernel_target();
  if (has_vnni && target == "AVX3") return {multiply_vnni_rows, repack_vnni};
  if (target == "AVX3" || target == "AVX2") return {multiply_avx2_rows, repack_portable};
#endif
  return {multiply_portable, repack_portable};
}

}  // namespace toolkit::tensor::cpu

#include "core/tensor/cpu/int8_tile.h"

#include "core/tensor/cpu/kernel_target.h"

#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 takes the "undefined" registers of its own intrinsics for a mistake of ours.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#define TOOLKIT_VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#endif

namespace toolkit::tensor::cpu {

namespace {

void multiply_portable(const Int8Tile& t, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) {
    int32_t sums[kInt8TileColumns] = {};
    const uint8_t* a = t.a + r * t.a_stride;
    for (int64_t q = 0; q < t.quads; ++q, a += 4) {
      const int8_t* halves[2] = {t.b0 + q * t.b_step, t.b1 + q * t.b_step};
      for (int64_t half = 0; half < 2; ++half)
        for (int64_t n = 0; n < 16; ++n)
          for (int64_t e = 0; e < 4; ++e) sums[half * 16 + n] += a[e] * halves[half][n * 4 + e];
    }
    for (int64_t n = 0; n < kInt8TileColumns; ++n) {
      float value =
          static_cast<float>(sums[n] - t.offsets[n]) * t.row_scales[r] * t.column_scales[n] +
          t.bias[n];
      for (int64_t k = 0; k < t.rank; ++k)
        value += t.low[r * t.low_stride + k] * t.low_panel[k * kInt8TileColumns + n];
      float& c = t.c[r * t.c_stride + n];
      c = t.accumulate ? c + value : value;
    }
  }
}

void repack_portable(const int8_t* block, int64_t block_bytes, int64_t blocks, int8_t* out,
                     int32_t* sums) {
  for (int64_t n = 0; n < kInt8TileColumns; ++n) sums[n] = 0;
  for (int64_t b = 0; b < blocks; ++b, block += block_bytes)
    for (int64_t row = 0; row < 16; ++row)
      for (int64_t column = 0; column < kInt8TileColumns; ++column) {
        const int8_t value = block[(column / 4) * 64 + row * 4 + column % 4];
        out[(b * 4 + row / 4) * 128 + column * 4 + row % 4] = value;
        sums[column] += value;
      }
}

#if defined(__x86_64__)

/// As assembly: g++ 12 copies and spills the sums around its own intrinsic, which halves the speed.
TOOLKIT_VNNI inline void add_products(__m512i& sum, __m512i a, __m512i b) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
}

template <int kRows>
TOOLKIT_VNNI void multiply_vnni(const Int8Tile& t) {
  __m512i sum[kRows][2];
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r) sum[r][0] = sum[r][1] = _mm512_setzero_si512();
  const int8_t* b0 = t.b0;
  const int8_t* b1 = t.b1;
  const int64_t stride = t.a_stride;
  const uint8_t* a0 = t.a;
  const uint8_t* a4 = a0 + 4 * stride;
  const uint8_t* a8 = a0 + 8 * stride;
  for (int64_t q = t.quads; q > 0; --q) {
    const __m512i left = _mm512_loadu_si512(b0), right = _mm512_loadu_si512(b1);
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      const uint8_t* row = (r < 4 ? a0 : r < 8 ? a4 : a8) + (r % 4) * stride;
      int32_t quad;
      __builtin_memcpy(&quad, row, 4);
      const __m512i a = _mm512_set1_epi32(quad);
      add_products(sum[r][0], a, left);
      add_products(sum[r][1], a, right);
    }
    a0 += 4;
    a4 += 4;
    a8 += 4;
    b0 += t.b_step;
    b1 += t.b_step;
  }
  __m512 value[kRows][2];
  // Unrolled, or the sums would live in memory: registers have no index.
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    const __m512i offset = _mm512_loadu_si512(t.offsets + 16 * half);
    const __m512 scale = _mm512_loadu_ps(t.column_scales + 16 * half),
                 bias = _mm512_loadu_ps(t.bias + 16 * half);
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      const __m512 whole = _mm512_cvtepi32_ps(_mm512_sub_epi32(sum[r][half], offset));
      value[r][half] =
          _mm512_fmadd_ps(whole, _mm512_mul_ps(scale, _mm512_set1_ps(t.row_scales[r])), bias);
    }
  }
  for (int64_t k = 0; k < t.rank; ++k) {
    const __m512 left = _mm512_loadu_ps(t.low_panel + k * 32),
                 right = _mm512_loadu_ps(t.low_panel + k * 32 + 16);
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      const __m512 low = _mm512_set1_ps(t.low[r * t.low_stride + k]);
      value[r][0] = _mm512_fmadd_ps(low, left, value[r][0]);
      value[r][1] = _mm512_fmadd_ps(low, right, value[r][1]);
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r) {
    float* c = t.c + r * t.c_stride;
    if (t.accumulate) {
      value[r][0] = _mm512_add_ps(value[r][0], _mm512_loadu_ps(c));
      value[r][1] = _mm512_add_ps(value[r][1], _mm512_loadu_ps(c + 16));
    }
    _mm512_storeu_ps(c, value[r][0]);
    _mm512_storeu_ps(c + 16, value[r][1]);
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

/// A vector holds four 4 x 4 squares (rows x columns): each is transposed, then the squares of four
/// neighbouring vectors are regrouped by their rows.
TOOLKIT_VNNI void repack_vnni(const int8_t* block, int64_t block_bytes, int64_t blocks, int8_t* out,
                              int32_t* sums) {
  const __m512i flip =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  const __m512i ones = _mm512_set1_epi8(1);
  __m512i total[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  for (int64_t b = 0; b < blocks; ++b, block += block_bytes, out += 4 * 128) {
    for (int half = 0; half < 2; ++half) {
      __m512i v[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i)
        v[i] = _mm512_shuffle_epi8(_mm512_loadu_si512(block + (half * 4 + i) * 64), flip);
      const __m512i low01 = _mm512_shuffle_i32x4(v[0], v[1], 0x44),
                    high01 = _mm512_shuffle_i32x4(v[0], v[1], 0xee);
      const __m512i low23 = _mm512_shuffle_i32x4(v[2], v[3], 0x44),
                    high23 = _mm512_shuffle_i32x4(v[2], v[3], 0xee);
      const __m512i rows[4] = {
          _mm512_shuffle_i32x4(low01, low23, 0x88), _mm512_shuffle_i32x4(low01, low23, 0xdd),
          _mm512_shuffle_i32x4(high01, high23, 0x88), _mm512_shuffle_i32x4(high01, high23, 0xdd)};
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        total[half] = _mm512_dpbusd_epi32(total[half], ones, rows[i]);
        _mm512_storeu_si512(out + i * 128 + half * 64, rows[i]);
      }
    }
  }
  _mm512_storeu_si512(sums, total[0]);
  _mm512_storeu_si512(sums + 16, total[1]);
}

#endif

}  // namespace

Int8Kernels int8_kernels() {
#if defined(__x86_64__)
  static const bool has_vnni =
      __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (has_vnni && kernel_target() == "AVX3") return {multiply_vnni_rows, repack_vnni};
#endif
  return {multiply_portable, repack_portable};
}

}  // namespace toolkit::tensor::cpu

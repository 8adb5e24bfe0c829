#include "core/tensor/cpu/int8_tile.h"

#include <algorithm>

#include "core/tensor/cpu/int8_tile_x86.h"
#include "core/tensor/cpu/kernel_target.h"

#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 takes the "undefined" registers of its own intrinsics for a mistake of ours.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#define TOOLKIT_AVX2 __attribute__((target("avx2,fma")))
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
        const uint8_t* halves[2] = {t.b0 + q * 64, t.b1 + q * 64};
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
        const uint8_t* at = (j < 2 ? t.b0 : t.b1) + q * 64 + j % 2 * 32;
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

#endif

}  // namespace

Int8Kernels int8_kernels() {
#if defined(__x86_64__)
  static const bool has_vnni =
      __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  const std::string target = kernel_target();
  if (has_vnni && target == "AMX") return {multiply_amx, kInt8MostTileRows, begin_amx, end_amx};
  if (has_vnni && target == "AVX3") return {multiply_vnni, kInt8TileRows};
  if (target == "AMX" || target == "AVX3" || target == "AVX2")
    return {multiply_avx2_rows, kInt8TileRows};
#endif
  return {multiply_portable, kInt8TileRows};
}

}  // namespace toolkit::tensor::cpu

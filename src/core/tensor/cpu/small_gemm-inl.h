// Products of blocks that lie in cache, inside HWY_NAMESPACE; included once per target.
#if defined(TOOLKIT_SMALL_GEMM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOOLKIT_SMALL_GEMM_INL_H_
#undef TOOLKIT_SMALL_GEMM_INL_H_
#else
#define TOOLKIT_SMALL_GEMM_INL_H_
#endif

#include "core/tensor/cpu/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu {
namespace HWY_NAMESPACE {

// A tile of 6 x 4 sums fits 32 vector registers, 6 x 2 fits 16.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr int kTileVectors = 4;
#else
inline constexpr int kTileVectors = 2;
#endif
inline constexpr int kTileRows = 6;

/// C[m][n] (+)= sum over k of A[m * a_row + k * a_column] * B[k * b_row + n]: `a_row` and
/// `a_column` let A be read as it lies or transposed.
struct SmallGemm {
  int64_t depth;
  const float* a;
  int64_t a_row, a_column;
  const float* b;
  int64_t b_row;
  float* c;
  int64_t c_row;
};

template <int kRows, int kVectors, bool kAdd>
HWY_INLINE void gemm_tile(const SmallGemm& g, int64_t row, int64_t column) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  FloatVec sums[kRows][kVectors];
  float* c = g.c + row * g.c_row + column;
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v)
      sums[m][v] = kAdd ? hn::LoadU(d, c + m * g.c_row + v * lanes) : hn::Zero(d);
  }
  const float* a = g.a + row * g.a_row;
  const float* b = g.b + column;
  for (int64_t k = 0; k < g.depth; ++k, a += g.a_column, b += g.b_row) {
    FloatVec right[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) right[v] = hn::LoadU(d, b + v * lanes);
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m) {
      const auto left = hn::Set(d, a[m * g.a_row]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[m][v] = hn::MulAdd(left, right[v], sums[m][v]);
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[m][v], d, c + m * g.c_row + v * lanes);
  }
}

template <int kRows, bool kAdd>
HWY_INLINE void gemm_rows(const SmallGemm& g, int64_t row, int64_t columns) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  int64_t n = 0;
  for (; n + kTileVectors * lanes <= columns; n += kTileVectors * lanes)
    gemm_tile<kRows, kTileVectors, kAdd>(g, row, n);
  if constexpr (kTileVectors == 4) {
    for (; n + 2 * lanes <= columns; n += 2 * lanes) gemm_tile<kRows, 2, kAdd>(g, row, n);
  }
  for (; n < columns; n += lanes) gemm_tile<kRows, 1, kAdd>(g, row, n);
}

/// `columns` must be a multiple of the vector length.
template <bool kAdd>
HWY_NOINLINE void small_gemm(const SmallGemm& g, int64_t rows, int64_t columns) {
  int64_t row = 0;
  for (; row + kTileRows <= rows; row += kTileRows) gemm_rows<kTileRows, kAdd>(g, row, columns);
  switch (rows - row) {
    case 5:
      return gemm_rows<5, kAdd>(g, row, columns);
    case 4:
      return gemm_rows<4, kAdd>(g, row, columns);
    case 3:
      return gemm_rows<3, kAdd>(g, row, columns);
    case 2:
      return gemm_rows<2, kAdd>(g, row, columns);
    case 1:
      return gemm_rows<1, kAdd>(g, row, columns);
    default:
      return;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace toolkit::tensor::cpu
HWY_AFTER_NAMESPACE();

#endif

#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/tensor/cpu/gemm.h"
#include "core/tensor/cpu/low_product.h"
#include "core/tensor/cpu/scratch.h"
#include "core/tensor/cpu/weight_view.h"

namespace toolkit::tensor::cpu {

/// Columns that share a scale, of weights and of activations. One scale per row is not enough: a
/// few columns are tens of times larger than the rest, for which few steps would be left.
constexpr int64_t kInt8Group = 64;

/// A frozen weight in int8 with one scale per output row and group of columns: w[n][k] ~
/// group_scales[k / 64][n] * q[n][k], |q| <= 127, stored as q + 128. In the order the dot-product
/// instructions read: blocks of 16 rows, in each block for every 4 columns 16 x 4 bytes. The same
/// bytes serve the input gradient: 4 x 4 squares are transposed on the way and rounded again to one
/// scale per row, which the output gradient takes in.
struct Int8Weight {
  int64_t rows = 0, columns = 0;
  int64_t padded_rows = 0, padded_columns = 0;  // multiples of 32, filled with q = 0
  std::vector<uint8_t> packed;
  std::vector<float> group_scales;  // (groups, padded_rows)
  std::vector<float> scales;        // (padded_rows), the largest of each row's
  std::vector<int16_t> ratios;      // (groups, padded_rows), group_scales / scales * 32767
};

std::shared_ptr<const Int8Weight> make_int8_weight(const WeightView& weight);

/// Rows of activations in 8 bits, one scale per token and group of columns: x ~ scale * q, |q| <=
/// 127. `stride` is a multiple of 32; what is past `columns` is zero.
struct Int8Rows {
  int8_t* q = nullptr;
  int64_t stride = 0;
  int64_t groups = 0;
  float* scales = nullptr;     // (m, groups)
  int32_t* offsets = nullptr;  // (m, groups): what the weight's 128 adds to a group's sum, negated
};

/// Room for m rows in a thread's work buffer.
Int8Rows scratch_rows(Scratch which, int64_t m, int64_t columns);

/// Quantizes m rows of x, each element first multiplied by its column's factor (unless null). A
/// group with a NaN or Inf gets a NaN scale. `on_all_threads` is false inside code that already
/// runs on all.
struct QuantizeJob {
  const float* x = nullptr;
  int64_t x_stride = 0;
  int64_t m = 0;
  int64_t columns = 0;
  const float* column_factors = nullptr;
  bool on_all_threads = true;
  LowProduct low;  // of x without the factors
};
void quantize_rows(const QuantizeJob& job, const Int8Rows& out);

/// One int8 product, f32 out. Forward: C = A W^T over weight rows [row_begin, row_begin +
/// row_count) as columns of C. Backward: C = A W, the sum over those rows; W's scales are expected
/// in A already.
struct Int8Product {
  const Int8Weight* weight = nullptr;
  bool backward = false;
  int64_t row_begin = 0;  // a multiple of 32
  int64_t row_count = 0;
  Int8Rows a;
  // A low-rank branch in f32: C += low (m, rank) times b; b(r, n) = factor * b[r * b_row + n *
  // b_column].
  const float* low = nullptr;
  int64_t low_stride = 0;
  int64_t rank = 0;
  const float* b = nullptr;
  int64_t b_row = 0;
  int64_t b_column = 0;
  float factor = 1.0f;
};
void int8_gemm(const Int8Product& product, const GemmOutput& output);
void int8_gemm_on_this_thread(const Int8Product& product, const GemmOutput& output);

}  // namespace toolkit::tensor::cpu

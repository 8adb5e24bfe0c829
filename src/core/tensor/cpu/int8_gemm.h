#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core/tensor/cpu/float_buffer.h"
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
/// instructions read: blocks of 16 rows, in each block for every 4 columns 16 x 4 bytes.
class Int8Weight {
 public:
  Int8Weight(int64_t row_count, int64_t column_count);

  /// W^T in the same form, for the input gradient: rounded from `weight`, of which this one was
  /// made, when first asked for, and kept.
  const Int8Weight& transposed(const WeightView& weight) const;

  /// The block that row n begins, n a multiple of 16; blocks lie 16 * padded_columns apart.
  uint8_t* block(int64_t n) { return bytes() + n * padded_columns; }
  const uint8_t* block(int64_t n) const { return bytes() + n * padded_columns; }

  int64_t rows, columns;
  int64_t padded_rows, padded_columns;  // multiples of 32, filled with q = 0
  std::vector<float> group_scales;      // (groups, padded_rows)

 private:
  uint8_t* bytes() const { return reinterpret_cast<uint8_t*>(packed_.data()); }

  FloatBuffer packed_;  // of bytes
  mutable std::once_flag transposed_once_;
  mutable std::unique_ptr<const Int8Weight> transposed_;
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

/// Quantizes m rows of x. A group with a NaN or Inf gets a NaN scale. `on_all_threads` is false
/// inside code that already runs on all.
struct QuantizeJob {
  const float* x = nullptr;
  int64_t x_stride = 0;
  int64_t m = 0;
  int64_t columns = 0;
  bool on_all_threads = true;
  LowProduct low;
};
void quantize_rows(const QuantizeJob& job, const Int8Rows& out);

/// One int8 product, f32 out: C = A W^T. The columns of C are the weight's rows from row_begin on,
/// those of A its columns from column_begin on.
struct Int8Product {
  const Int8Weight* weight = nullptr;
  int64_t row_begin = 0;     // a multiple of 32
  int64_t column_begin = 0;  // a multiple of 64
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

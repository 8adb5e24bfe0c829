#pragma once

#include <cstdint>
#include <span>

#include "core/tensor/cpu/float_buffer.h"
#include "core/tensor/cpu/gemm.h"
#include "core/tensor/cpu/low_product.h"
#include "core/tensor/cpu/scratch.h"

namespace toolkit::tensor::cpu {

/// Whether products in bf16 (inputs rounded to 8 bits of mantissa, sums in f32) are faster here
/// than in f32: the processor has AMX and it is not switched off.
bool has_bf16_products();

/// Rows of activations in bf16: (m, k) with zeros up to `stride`, a multiple of 32. Readable up to
/// a multiple of 32 rows.
struct Bf16Rows {
  uint16_t* data = nullptr;
  int64_t stride = 0;
};

/// Room for m rows in a thread's work buffer.
Bf16Rows scratch_bf16_rows(Scratch which, int64_t m, int64_t k);

/// Memory for m rows as long as it lives.
class Bf16Buffer {
 public:
  Bf16Buffer(int64_t m, int64_t k);
  /// The same with A (m, k) f32, rows `stride` apart, rounded into it by this thread.
  Bf16Buffer(const float* a, int64_t stride, int64_t m, int64_t k);
  const Bf16Rows& rows() const { return rows_; }

 private:
  FloatBuffer memory_;
  Bf16Rows rows_;
};

/// Rounds A (m, k) f32 with rows `stride` apart to the nearest, and multiplies the rounded rows
/// with a low-rank factor (in bf16): while they are at hand if its panel is 32 wide.
struct RoundJob {
  const float* a = nullptr;
  int64_t stride = 0;
  int64_t m = 0;
  int64_t k = 0;
  bool on_all_threads = true;
  LowProduct low;
};
void round_rows(const RoundJob& job, const Bf16Rows& out);

/// One product A B of a sum; B is rounded to bf16 panel by panel.
struct Bf16Term {
  Bf16Rows a;
  int64_t k = 0;
  RightFactor b;
};

/// C = [C +] bias + sum of A_i B_i over `terms`, on all threads; like gemm() with both factors
/// rounded to bf16.
void bf16_gemm(std::span<const Bf16Term> terms, const GemmOutput& output);
void bf16_gemm_on_this_thread(std::span<const Bf16Term> terms, const GemmOutput& output);

}  // namespace toolkit::tensor::cpu

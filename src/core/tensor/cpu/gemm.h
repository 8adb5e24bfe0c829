#pragma once

#include <cstdint>
#include <span>

#include "core/tensor/cpu/weight_view.h"

namespace toolkit::tensor::cpu {

/// The right factor B (k x n) of one product, in whatever form it lies in memory. Panels of B are
/// expanded to f32 just before they are multiplied; the whole of B never exists as f32.
struct RightFactor {
  enum class Form : uint8_t {
    kWeightTransposed,  // B(k, n) = weight[n][k]: y = x W^T
    kWeight,            // B(k, n) = weight[k][n]: dx = dy W
    kMatrix,            // B(k, n) = factor * matrix[k * stride + n]
    kMatrixTransposed,  // B(k, n) = factor * matrix[n * stride + k]
  };
  Form form = Form::kMatrix;
  WeightView weight;
  const float* scales = nullptr;  // of a quantized weight, as f32 (see convert_scales)
  const float* biases = nullptr;
  const float* matrix = nullptr;
  int64_t stride = 0;
  float factor = 1.0f;
};

/// One product A B of a sum of products: A is (m, k) f32 with rows `stride` apart.
struct GemmTerm {
  const float* a = nullptr;
  int64_t stride = 0;
  int64_t k = 0;
  RightFactor b;
  const float* packed = nullptr;  // all of A as PackedRows holds it; `a` is not read then
  const float* beside = nullptr;  // a second left factor, as PackedRows holds it; see GemmBeside
};

/// A second sum of products by the same right factors, of the terms that have `beside`: made while
/// a panel of them is expanded. C (m, n) with rows `stride` apart.
struct GemmBeside {
  float* c = nullptr;
  int64_t stride = 0;
  int64_t m = 0;  // 0: none
};

/// Where the sum goes: C (m, n) f32 with rows `stride` apart.
struct GemmOutput {
  float* c = nullptr;
  int64_t stride = 0;
  int64_t m = 0;
  int64_t n = 0;
  const float* bias = nullptr;  // (n), or null
  bool accumulate = false;      // add to what C holds
  GemmBeside beside = {};       // neither bias nor `accumulate` is for it; then there is no bias
};

/// C = [C +] bias + sum of A_i B_i over `terms`, on all threads. One call with several terms costs
/// one pass over C: the LoRA branch and the sum of several maps' input gradients are terms.
void gemm(std::span<const GemmTerm> terms, const GemmOutput& output);

/// The same on the calling thread only, for callers that split the work themselves.
void gemm_on_this_thread(std::span<const GemmTerm> terms, const GemmOutput& output);

/// out (r, n) = factor * sum over m of s[m][r] * x[m][n], r small: gradients of LoRA factors.
/// Rows of s and x lie `s_stride` and `x_stride` apart; rows of out are n apart.
struct OuterProducts {
  const float* s = nullptr;
  int64_t s_stride = 0;
  const float* x = nullptr;
  int64_t x_stride = 0;
  int64_t m = 0;
  int64_t r = 0;
  int64_t n = 0;
  float factor = 1.0f;
};
void sum_outer_products(const OuterProducts& product, float* out);

/// f32 copies of a quantized weight's scales and biases, rows * groups each.
void convert_scales(const WeightView& weight, float* scales, float* biases);

/// One row of a dense weight as f32.
void convert_row(const WeightView& weight, int64_t row, float* out);

}  // namespace toolkit::tensor::cpu

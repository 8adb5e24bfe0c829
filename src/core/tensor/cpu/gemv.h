#pragma once

#include <cstdint>
#include <span>

#include "core/tensor/cpu/weight_view.h"

namespace toolkit::tensor::cpu {

/// One linear map of a few inputs: y[i] = [y[i] +] W x[i] + bias.
struct GemvMap {
  WeightView weight;
  float* y = nullptr;
  int64_t y_stride = 0;         // between the outputs of two inputs
  const float* bias = nullptr;  // (rows), or null
  bool accumulate = false;
};

/// More inputs than this are better served by gemm.
constexpr int64_t kMostGemvInputs = 8;

/// Applies maps of equal input width to x (count, columns), count <= kMostGemvInputs, reading each
/// weight once in its packed form, on all threads: generation is bound by that. f32 arithmetic.
void gemv(const float* x, int64_t count, std::span<const GemvMap> maps);

/// The same for any number of inputs, each with the result it has alone, bit for bit.
void gemv_each(const float* x, int64_t count, std::span<const GemvMap> maps);

}  // namespace toolkit::tensor::cpu

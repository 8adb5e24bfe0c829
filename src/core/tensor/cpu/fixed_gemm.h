#pragma once

#include <cstdint>
#include <span>

#include "core/tensor/cpu/weight_view.h"

namespace toolkit::tensor::cpu {

/// One linear map of several inputs: y[i] = W x[i].
struct RowsMap {
  WeightView weight;
  float* y = nullptr;
  int64_t y_stride = 0;  // between the outputs of two inputs
};

/// Whether fixed_gemm can run these maps of equal input width together: packed weights of equal
/// arrangement, on a machine with AVX-512 VNNI that the chosen kernel target allows.
bool can_run_fixed_gemm(std::span<const RowsMap> maps);

/// Applies packed weights to x (count, columns), inputs in 16-bit fixed point: in each group of
/// columns x = scale * (256 d0 + d1) with signed bytes d, scale = largest |x| / (127 * 256), so
/// that an element is off by at most 2^-16 of the group's largest. Products of a group are added as
/// integers, exactly, groups in their order in f32: the result of an input does not depend on how
/// many others there are. A NaN or Inf in an input makes its products NaN or Inf.
void fixed_gemm(const float* x, int64_t count, std::span<const RowsMap> maps);

}  // namespace toolkit::tensor::cpu

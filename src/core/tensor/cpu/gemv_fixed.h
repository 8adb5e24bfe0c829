#pragma once

#include <cstdint>

#include "core/tensor/cpu/weight_view.h"

namespace toolkit::tensor::cpu {

/// One input in 24-bit fixed point: in each group of a weight's columns, x = scale * (65536 d0 +
/// 256 d1 + d2) with d in -128..127, scale = largest |x| of the group / (127 * 65536). That is
/// within 2^-23 of the group's largest element, which f32 itself rounds to 2^-24. The bytes lie as
/// the dot-product instructions meet them beside packed weights of `bits`.
struct FixedInput {
  const int8_t* digits = nullptr;  // per 64 bytes of a row 64-byte blocks: of 4 bits d0, d1, d2 of
                                   // even columns and of odd ones, in turn; of 8 bits d0, d1, d2
  const float* scales = nullptr;   // (groups)
  const float* sums = nullptr;     // (groups), sum of x
};

/// Whether this machine has the instructions (AVX-512 VNNI); callers also ask for the kernel target
/// AVX3.
bool has_fixed_kernels();

/// Prepares x (columns of `weight`) in this thread's Scratch::kActivation. A NaN or Inf in x
/// makes every product NaN or Inf.
FixedInput fixed_input(const WeightView& weight, const float* x);

/// y[row] = W[row] x for rows [begin, end) of a packed weight with groups as the input's. Products
/// are added as integers, exactly, eight or four at a time; then in f32.
void fixed_rows(const WeightView& weight, const FixedInput& x, int64_t begin, int64_t end,
                float* y);

}  // namespace toolkit::tensor::cpu

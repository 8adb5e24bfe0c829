#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/tensor/cpu/float_buffer.h"
#include "core/tensor/cpu/weight_view.h"

namespace toolkit::tensor::cpu {

/// A packed weight (4 or 8 bits) as fixed_gemm reads it: 16 rows together, in one stream of groups,
/// each with its scales and biases (of their own type) and then its words: as large as the weight
/// itself.
class ArrangedWeight {
 public:
  explicit ArrangedWeight(const WeightView& weight);

  const uint8_t* block(int64_t index) const {
    return reinterpret_cast<const uint8_t*>(bytes_.data()) + index * block_bytes;
  }
  int64_t rows, columns;
  int group_size, bits;
  FloatType type;  // of scales and biases
  int64_t group_bytes, block_bytes;

 private:
  FloatBuffer bytes_;
};

/// Null where fixed_gemm cannot run: it needs AVX-512 VNNI, allowed by the chosen kernel target,
/// and a packed weight.
std::shared_ptr<const ArrangedWeight> arrange_weight(const WeightView& weight);

/// One linear map of several inputs: y[i] = W x[i].
struct FixedMap {
  const ArrangedWeight* weight = nullptr;
  float* y = nullptr;
  int64_t y_stride = 0;  // between the outputs of two inputs
};

/// Applies maps of equal input width, bits and group size to x (count, columns), inputs in 16-bit
/// fixed point: in each group of columns x = scale * (256 d0 + d1) with signed bytes d, scale =
/// largest |x| / (127 * 256), so that an element is off by at most 2^-16 of the group's largest.
/// Products of a group are added as integers, exactly, groups in their order in f32: the result of
/// an input does not depend on how many others there are. A NaN or Inf in an input makes its
/// products NaN or Inf.
void fixed_gemm(const float* x, int64_t count, std::span<const FixedMap> maps);

}  // namespace toolkit::tensor::cpu

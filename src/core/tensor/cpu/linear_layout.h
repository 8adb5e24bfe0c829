#pragma once

#include <memory>
#include <vector>

#include "core/tensor/cpu/gemm.h"
#include "core/tensor/cpu/linear_primitive.h"
#include "mlx/array.h"

namespace mx = mlx::core;

namespace toolkit::tensor::cpu {

/// What a linear primitive remembers of one map: sizes, and at which index of its inputs each array
/// is
/// (-1: none).
struct MapLayout {
  int rows = 0;
  int columns = 0;
  int bits = 0;
  int group_size = 0;
  int rank = 0;        // of the LoRA branch; 0: none
  int rank_begin = 0;  // where this map's columns of x a begin
  float lora_scale = 0.0f;
  std::shared_ptr<const Int8Weight> int8;  // set: multiply in int8
  bool bf16 = false;                       // multiply in bf16
  int weight = -1, scales = -1, biases = -1, bias = -1, lora_a = -1, lora_b = -1;
  int magnitude = -1, squared_norms = -1;
  int scale_output = -1;  // which output of the forward primitive is magnitude / norm

  bool dora() const { return magnitude >= 0; }
};

/// Appends the map's arrays to a primitive's inputs and says where they are; rank_begin is left at
/// 0.
MapLayout add_map(const LinearMap& map, std::vector<mx::array>& inputs);

int total_rank(const std::vector<MapLayout>& maps);

/// Memory of the weight among a primitive's evaluated inputs.
WeightView weight_view(const MapLayout& map, const std::vector<mx::array>& inputs);

FloatType float_type(const mx::array& array);

/// `array` when its rows lie without gaps, otherwise a copy in that form. For use in eval_cpu: the
/// copy is made at once when the command runs; call it inside a dispatched command.
struct Contiguous {
  explicit Contiguous(const mx::array& array);
  const float* data() const { return copy_.empty() ? data_ : copy_.data(); }

 private:
  const float* data_;
  std::vector<float> copy_;
};

/// f32 scales and biases of a quantized weight for the length of one kernel call.
class ScaleBuffer {
 public:
  explicit ScaleBuffer(const WeightView& weight);
  RightFactor factor(RightFactor::Form form) const;

 private:
  WeightView weight_;
  std::vector<float> values_;
  const float* scales_ = nullptr;
  const float* biases_ = nullptr;
};

}  // namespace toolkit::tensor::cpu

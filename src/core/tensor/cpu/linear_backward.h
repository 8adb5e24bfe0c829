#pragma once

#include <vector>

#include "core/tensor/cpu/linear_layout.h"
#include "mlx/primitives.h"

namespace toolkit::tensor::cpu {

/// Gradients of a linear group. Inputs: those of the forward primitive, then x a (when LoRA
/// gradients are wanted; otherwise anything may stand for x), then output (only for gradients of
/// LoRA; else anything of its shape) and scale of every map with a DoRA, then one gradient per
/// map's output. Outputs: the gradient of x when wanted, then those of lora.a, lora.b and magnitude
/// of every map that has them, when wanted.
class LinearGroupGradient : public mx::Primitive {
 public:
  LinearGroupGradient(mx::Stream stream, std::vector<MapLayout> maps, bool wants_x, bool wants_lora)
      : Primitive(stream), maps_(std::move(maps)), wants_x_(wants_x), wants_lora_(wants_lora) {}

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override;
  void eval_gpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override;
  const char* name() const override { return "LinearGroupGradient"; }

 private:
  std::vector<MapLayout> maps_;
  bool wants_x_, wants_lora_;
};

}  // namespace toolkit::tensor::cpu

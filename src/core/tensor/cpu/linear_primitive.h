#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "mlx/array.h"

namespace mx = mlx::core;

namespace toolkit::tensor::cpu {

struct Int8Weight;

/// One linear map as arrays; meaning as in core/tensor/linear.h.
struct LinearMap {
  mx::array weight;  // f32, f16 or bf16 (out, in), or packed u32
  std::optional<mx::array> scales;
  std::optional<mx::array> biases;
  int group_size = 0;
  int bits = 0;
  std::optional<mx::array> bias;
  std::optional<mx::array> lora_a;  // f32
  std::optional<mx::array> lora_b;
  float lora_scale = 0.0f;
  std::optional<mx::array> magnitude;  // f32; with a branch: DoRA
  std::optional<mx::array> squared_norms;
  std::shared_ptr<const Int8Weight> int8;  // set: multiply in int8
  bool bf16 = false;                       // multiply in bf16; see has_bf16_products
};

/// The int8 form of a map's weight, whose arrays must have been evaluated.
std::shared_ptr<const Int8Weight> int8_weight(const LinearMap& map);

/// True when the kernels understand this packing (4 or 8 bits, groups of 32, 64 or 128).
bool supports_packing(int bits, int group_size);

/// y_i = x W_i^T + bias_i + scale_i (x a_i) b_i for x (..., in) f32, rescaled where a map has a
/// magnitude, as one MLX primitive with gradient.
std::vector<mx::array> linear_group_primitive(const mx::array& x, std::span<const LinearMap> maps);

}  // namespace toolkit::tensor::cpu

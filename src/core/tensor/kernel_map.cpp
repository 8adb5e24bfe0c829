#include "core/tensor/kernel_map.h"

#include "core/tensor/cpu/bf16_gemm.h"
#include "mlx/ops.h"

namespace toolkit::tensor {

namespace {

bool kernels_read(const mx::array& floats) {
  return floats.dtype() == mx::float32 || floats.dtype() == mx::float16 ||
         floats.dtype() == mx::bfloat16;
}

bool kernels_read(const Weight& weight) {
  if (!weight.quantized()) return kernels_read(weight.data);
  return weight.biases && cpu::supports_packing(weight.bits, weight.group_size) &&
         kernels_read(*weight.scales) && weight.scales->dtype() == weight.biases->dtype();
}

/// Kernels read weights without gaps; loaded ones are, views may not be.
mx::array without_gaps(const mx::array& array) {
  if (array.status() == mx::array::Status::available && array.flags().row_contiguous) return array;
  return mx::contiguous(array);
}

}  // namespace

std::optional<cpu::LinearMap> kernel_map(const LinearTerms& terms, Compute compute) {
  const Weight& weight = *terms.weight;
  if (!kernels_read(weight)) return std::nullopt;
  cpu::LinearMap map{
      .weight = without_gaps(weight.data), .group_size = weight.group_size, .bits = weight.bits};
  if (weight.quantized()) {
    map.scales = without_gaps(*weight.scales);
    map.biases = without_gaps(*weight.biases);
  }
  if (terms.bias) map.bias = without_gaps(mx::astype(*terms.bias, mx::float32));
  if (terms.lora) {
    map.lora_a = mx::astype(terms.lora->a, mx::float32);
    map.lora_b = mx::astype(terms.lora->b, mx::float32);
    map.lora_scale = terms.lora->scale;
  }
  if (terms.dora) {
    map.magnitude = mx::astype(*terms.dora->magnitude, mx::float32);
    map.squared_norms = mx::astype(*terms.dora->squared_norms, mx::float32);
  }
  if (compute == Compute::kInt8 && terms.prepared) map.int8 = terms.prepared->int8;
  map.bf16 = compute == Compute::kBFloat16 && cpu::has_bf16_products();
  return map;
}

}  // namespace toolkit::tensor

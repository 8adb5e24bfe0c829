#include "core/tensor/linear.h"

#include "core/base/error.h"
#include "core/tensor/plain/plain.h"
#include "mlx/mlx.h"
#ifdef TOOLKIT_CPU_KERNELS
#include "core/tensor/kernel_map.h"
#endif

namespace toolkit::tensor {

int Weight::rows() const {
  return data.shape(0);
}

int Weight::columns() const {
  return quantized() ? data.shape(1) * 32 / bits : data.shape(1);
}

mx::array dequantized(const Weight& weight, mx::Dtype dtype) {
  if (!weight.quantized()) return mx::astype(weight.data, dtype);
  return mx::astype(
      mx::dequantize(weight.data, mx::astype(*weight.scales, mx::float32),
                     mx::astype(*weight.biases, mx::float32), weight.group_size, weight.bits),
      dtype);
}

#ifndef TOOLKIT_CPU_KERNELS
struct PreparedWeight {};
#endif

std::shared_ptr<const PreparedWeight> prepare([[maybe_unused]] const Weight& weight,
                                              [[maybe_unused]] Compute compute) {
#ifdef TOOLKIT_CPU_KERNELS
  if (compute == Compute::kInt8 && use_cpu_kernels()) {
    if (const std::optional<cpu::LinearMap> map =
            kernel_map({.weight = &weight}, Compute::kFloat32)) {
      std::vector<mx::array> arrays = {map->weight};
      if (map->scales) arrays.insert(arrays.end(), {*map->scales, *map->biases});
      mx::eval(arrays);
      return std::make_shared<PreparedWeight>(PreparedWeight{cpu::int8_weight(*map)});
    }
  }
#endif
  return nullptr;
}

namespace {

void check_shapes(const mx::array& x, std::span<const LinearTerms> maps) {
  if (maps.empty()) fail(ErrorKind::kInternal, "linear: no maps");
  for (const LinearTerms& map : maps) {
    const Weight& weight = *map.weight;
    if (x.ndim() < 1 || x.shape(-1) != weight.columns())
      fail(ErrorKind::kInternal, "linear: the input is {} wide, the weight ({}, {}) expects {}",
           x.ndim() ? x.shape(-1) : 0, weight.rows(), weight.columns(), weight.columns());
    if (map.bias && (map.bias->ndim() != 1 || map.bias->shape(0) != weight.rows()))
      fail(ErrorKind::kInternal, "linear: the bias does not have {} elements", weight.rows());
    if (!map.lora) continue;
    const mx::array &a = map.lora->a, &b = map.lora->b;
    if (a.ndim() != 2 || b.ndim() != 2 || a.shape(0) != weight.columns() ||
        b.shape(1) != weight.rows() || a.shape(1) != b.shape(0))
      fail(ErrorKind::kInternal, "linear: LoRA factors do not fit the weight ({}, {})",
           weight.rows(), weight.columns());
  }
}

}  // namespace

std::vector<mx::array> linear_group(const mx::array& x, std::span<const LinearTerms> maps,
                                    [[maybe_unused]] Compute compute) {
  check_shapes(x, maps);
#ifdef TOOLKIT_CPU_KERNELS
  if (use_cpu_kernels() && x.size() > 0) {
    std::vector<cpu::LinearMap> inputs;
    for (const LinearTerms& terms : maps)
      if (std::optional<cpu::LinearMap> map = kernel_map(terms, compute))
        inputs.push_back(std::move(*map));
    if (inputs.size() == maps.size()) {
      std::vector<mx::array> outputs =
          cpu::linear_group_primitive(mx::astype(x, mx::float32), inputs);
      for (mx::array& y : outputs) y = mx::astype(y, x.dtype());
      return outputs;
    }
  }
#endif
  return plain::linear_group(x, maps);
}

mx::array linear(const mx::array& x, const LinearTerms& map, Compute compute) {
  return linear_group(x, {&map, 1}, compute)[0];
}

}  // namespace toolkit::tensor

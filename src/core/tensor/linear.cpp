#include "core/tensor/linear.h"

#include <deque>

#include "core/base/error.h"
#include "core/tensor/dropout.h"
#include "core/tensor/plain/plain.h"
#include "core/tensor/prepared_weight.h"
#include "core/tensor/scale_columns.h"
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

mx::Dtype activation_type(Compute compute) {
  return compute == Compute::kBFloat16 && !use_cpu_kernels() ? mx::bfloat16 : mx::float32;
}

namespace {

std::shared_ptr<const PreparedWeight> converted(const Weight& weight, mx::Dtype type) {
  if (!weight.quantized() || weight.scales->dtype() == type) return nullptr;
  Weight kept = weight;
  kept.scales = mx::astype(*weight.scales, type);
  if (weight.biases) kept.biases = mx::astype(*weight.biases, type);
  mx::eval(*kept.scales);
  if (kept.biases) mx::eval(*kept.biases);
  return std::make_shared<PreparedWeight>(PreparedWeight{.converted = kept});
}

}  // namespace

std::shared_ptr<const PreparedWeight> prepare(const Weight& weight, Compute compute) {
  if (!use_cpu_kernels()) return converted(weight, activation_type(compute));
#ifdef TOOLKIT_CPU_KERNELS
  if (compute == Compute::kInt8) {
    if (const std::optional<cpu::LinearMap> map =
            kernel_map({.weight = &weight}, Compute::kFloat32)) {
      std::vector<mx::array> arrays = {map->weight};
      if (map->scales) arrays.insert(arrays.end(), {*map->scales, *map->biases});
      mx::eval(arrays);
      return std::make_shared<PreparedWeight>(PreparedWeight{.int8 = cpu::int8_weight(*map)});
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
    if (map.output_scale &&
        (map.output_scale->ndim() != 1 || map.output_scale->shape(0) != weight.rows()))
      fail(ErrorKind::kInternal, "linear: the output scale does not have {} elements",
           weight.rows());
    if (map.dora && (!map.lora || map.output_scale))
      fail(ErrorKind::kInternal, "linear: a DoRA goes with a branch and makes the output scale");
    if (map.dora)
      for (const mx::array* rows : {map.dora->magnitude, map.dora->squared_norms})
        if (rows->ndim() != 1 || rows->shape(0) != weight.rows())
          fail(ErrorKind::kInternal, "linear: a DoRA's arrays do not have {} elements",
               weight.rows());
    if (!map.lora) continue;
    const mx::array &a = map.lora->a, &b = map.lora->b;
    if (a.ndim() != 2 || b.ndim() != 2 || a.shape(0) != weight.columns() ||
        b.shape(1) != weight.rows() || a.shape(1) != b.shape(0))
      fail(ErrorKind::kInternal, "linear: LoRA factors do not fit the weight ({}, {})",
           weight.rows(), weight.columns());
  }
}

bool drops(const LinearTerms& map) {
  return map.lora && map.lora->dropout > 0.0f;
}

/// Whether one product makes the whole of a DoRA; else its scale is an op of its own.
bool is_one_product(const LinearTerms& map) {
  return !drops(map) && !map.lora->frozen_a;
}

/// The part of a map that one product makes; the rest is for add_rest(). A branch that is put
/// together for it is kept in `made`.
LinearTerms product_part(const LinearTerms& map, std::deque<LoraBranch>& made) {
  LinearTerms part = map;
  part.output_scale = nullptr;
  if (map.output_scale) part.bias = nullptr;  // is added behind the scale
  if (!map.lora) return part;
  const LoraBranch& lora = *map.lora;
  if (drops(map)) {
    part.lora = nullptr;
    if (lora.frozen_a)
      part.lora = &made.emplace_back(LoraBranch{*lora.frozen_a, *lora.frozen_b, lora.scale});
  } else if (lora.frozen_a) {
    part.lora =
        &made.emplace_back(LoraBranch{mx::concatenate({lora.a, *lora.frozen_a}, 1),
                                      mx::concatenate({lora.b, *lora.frozen_b}, 0), lora.scale});
  }
  return part;
}

mx::array add_rest(mx::array y, const mx::array& x, const LinearTerms& map) {
  if (drops(map)) {
    const LoraBranch& lora = *map.lora;
    const mx::array dropped = dropout(x, lora.dropout, lora.dropout_key);
    const mx::array low = mx::matmul(dropped, mx::astype(lora.a, x.dtype()));
    y = mx::add(y, mx::matmul(mx::multiply(low, mx::array(lora.scale, x.dtype())),
                              mx::astype(lora.b, x.dtype())));
  }
  return map.output_scale ? scale_columns(y, *map.output_scale, map.bias) : y;
}

std::vector<mx::array> products(const mx::array& x, std::span<const LinearTerms> maps,
                                [[maybe_unused]] Compute compute) {
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

}  // namespace

std::vector<mx::array> linear_group(const mx::array& x, std::span<const LinearTerms> maps,
                                    Compute compute) {
  check_shapes(x, maps);
  std::deque<LoraBranch> made;
  std::deque<mx::array> scales;
  std::vector<LinearTerms> whole(maps.begin(), maps.end()), parts;
  for (LinearTerms& map : whole) {
    if (map.dora && !is_one_product(map)) {
      map.output_scale = &scales.emplace_back(dora_scale(map));
      map.dora.reset();
    }
    parts.push_back(product_part(map, made));
  }
  std::vector<mx::array> outputs = products(x, parts, compute);
  for (size_t i = 0; i < whole.size(); ++i) outputs[i] = add_rest(outputs[i], x, whole[i]);
  return outputs;
}

mx::array linear(const mx::array& x, const LinearTerms& map, Compute compute) {
  return linear_group(x, {&map, 1}, compute)[0];
}

}  // namespace toolkit::tensor

#include "core/tensor/cpu/linear_layout.h"

#include "core/base/error.h"
#include "core/tensor/cpu/int8_gemm.h"

namespace toolkit::tensor::cpu {

MapLayout add_map(const LinearMap& map, std::vector<mx::array>& inputs) {
  const auto add = [&inputs](const std::optional<mx::array>& array) {
    if (!array) return -1;
    inputs.push_back(*array);
    return static_cast<int>(inputs.size()) - 1;
  };
  MapLayout layout;
  layout.rows = map.weight.shape(0);
  layout.columns = map.scales ? map.weight.shape(1) * 32 / map.bits : map.weight.shape(1);
  layout.bits = map.scales ? map.bits : 0;
  layout.group_size = map.group_size;
  layout.lora_scale = map.lora_scale;
  layout.int8 = map.int8;
  layout.bf16 = map.bf16;
  if (map.lora_a) layout.rank = map.lora_a->shape(1);
  layout.weight = add(map.weight);
  layout.scales = add(map.scales);
  layout.biases = add(map.biases);
  layout.bias = add(map.bias);
  layout.lora_a = add(map.lora_a);
  layout.lora_b = add(map.lora_b);
  layout.magnitude = add(map.magnitude);
  layout.squared_norms = add(map.squared_norms);
  return layout;
}

int total_rank(const std::vector<MapLayout>& maps) {
  int rank = 0;
  for (const MapLayout& map : maps) rank += map.rank;
  return rank;
}

FloatType float_type(const mx::array& array) {
  if (array.dtype() == mx::float32) return FloatType::kFloat32;
  if (array.dtype() == mx::float16) return FloatType::kFloat16;
  if (array.dtype() == mx::bfloat16) return FloatType::kBFloat16;
  fail(ErrorKind::kInternal, "linear: a weight of a type the kernels do not read");
}

WeightView weight_view(const MapLayout& map, const std::vector<mx::array>& inputs) {
  const mx::array& data = inputs[map.weight];
  WeightView view{.data = data.data<void>(), .rows = map.rows, .columns = map.columns};
  if (map.scales < 0) {
    view.type = float_type(data);
    return view;
  }
  view.scales = inputs[map.scales].data<void>();
  view.biases = inputs[map.biases].data<void>();
  view.type = float_type(inputs[map.scales]);
  view.bits = map.bits;
  view.group_size = map.group_size;
  return view;
}

std::shared_ptr<const Int8Weight> int8_weight(const LinearMap& map) {
  std::vector<mx::array> inputs;
  const MapLayout layout = add_map(map, inputs);
  return make_int8_weight(weight_view(layout, inputs));
}

namespace {

void copy_strided(const float* source, const mx::array& array, int axis, float*& out) {
  if (axis == static_cast<int>(array.ndim())) {
    *out++ = *source;
    return;
  }
  for (int i = 0; i < array.shape(axis); ++i)
    copy_strided(source + i * array.strides()[axis], array, axis + 1, out);
}

}  // namespace

Contiguous::Contiguous(const mx::array& array) : data_(array.data<float>()) {
  if (array.flags().row_contiguous) return;
  copy_.resize(array.size());
  float* out = copy_.data();
  copy_strided(data_, array, 0, out);
}

ScaleBuffer::ScaleBuffer(const WeightView& weight) : weight_(weight) {
  if (!weight.quantized()) return;
  if (weight.type == FloatType::kFloat32) {
    scales_ = static_cast<const float*>(weight.scales);
    biases_ = static_cast<const float*>(weight.biases);
    return;
  }
  const size_t count = static_cast<size_t>(weight.rows * weight.groups());
  values_.resize(2 * count);
  convert_scales(weight, values_.data(), values_.data() + count);
  scales_ = values_.data();
  biases_ = values_.data() + count;
}

RightFactor ScaleBuffer::factor(RightFactor::Form form) const {
  return {.form = form, .weight = weight_, .scales = scales_, .biases = biases_};
}

}  // namespace toolkit::tensor::cpu

#include "core/checkpoint/write/converted_model.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/checkpoint/ggml_types.h"
#include "core/checkpoint/write/gguf_tensors.h"
#include "core/tensor/weight_rows.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::checkpoint {

namespace {

using Kind = TargetForm::Kind;

constexpr int kBlockElements = 1 << 22;

WeightForm dense_form(const WeightForm& own, mx::Dtype dtype) {
  return {.shape = own.shape, .dtype = dtype};
}

/// What is looked up by token rather than multiplied layer by layer: one rounding there is seen in
/// every answer.
bool is_vocabulary(const std::string& module) {
  return module.ends_with("embed_tokens") || module.ends_with("lm_head");
}

double product(const mx::array& a, const mx::array& b) {
  return static_cast<double>(mx::sum(mx::multiply(a, b)).item<float>());
}

void evaluate(const tensor::Weight& weight) {
  std::vector<mx::array> arrays = {weight.data};
  if (weight.scales) arrays.push_back(*weight.scales);
  if (weight.biases) arrays.push_back(*weight.biases);
  mx::eval(std::move(arrays));
}

}  // namespace

void ConvertedModel::Change::add(const mx::array& base, const mx::array& exact,
                                 const mx::array& written) {
  const mx::array change = mx::subtract(exact, base);
  const mx::array came = mx::subtract(written, base);
  const mx::array lost = mx::subtract(came, change);
  whole += product(change, change);
  arrived += product(came, change);
  missed += product(lost, lost);
}

ConvertedModel::ConvertedModel(std::unique_ptr<ModelFiles> base, std::optional<Adapter> adapter,
                               TargetForm target)
    : base_(std::move(base)), target_(target) {
  if (adapter) merge_.emplace(std::move(*adapter), *base_);
}

WeightForm ConvertedModel::kept_form(const std::string& module, const WeightForm& own) const {
  if (!own.packed() || own.block_type || !target_.for_gguf) return own;
  WeightForm kept = own;
  kept.block_type = exact_block_type(base_->weight(module));
  return kept.block_type ? kept : dense_form(own, own.dtype);
}

WeightForm ConvertedModel::form(const std::string& module) const {
  const WeightForm own = form_of(*base_, module);
  const bool changed = merge_ && merge_->changes(module);
  const mx::Dtype dtype =
      target_.kind == Kind::kDense ? target_.dtype.value_or(own.dtype) : own.dtype;
  if (own.shape.size() != 2 || target_.kind == Kind::kDense) return dense_form(own, dtype);
  if (target_.kind == Kind::kKeep) return changed ? dense_form(own, dtype) : kept_form(module, own);
  if (target_.kind == Kind::kAffine) {
    if (own.shape[1] % target_.group_size != 0) return dense_form(own, dtype);
    WeightForm packed = own;
    packed.bits = target_.bits;
    packed.group_size = target_.group_size;
    packed.block_type.reset();
    if (packed.dtype == mx::float32) packed.dtype = mx::float16;
    return packed;
  }
  if (own.shape[1] % 32 != 0) return dense_form(own, mx::float16);
  const uint32_t type = is_vocabulary(module) ? uint32_t{kGgmlQ8_0} : target_.block_type;
  return {.shape = own.shape,
          .dtype = mx::float16,
          .bits = type == kGgmlQ8_0 ? 8 : 4,
          .group_size = 32,
          .block_type = type};
}

tensor::Weight ConvertedModel::in_form(const std::string& module, const mx::array& values,
                                       const WeightForm& form) const {
  if (!form.packed()) return {.data = mx::astype(values, form.dtype)};
  if (form.block_type) return quantized_by_ggml(values, *form.block_type, module);
  const std::vector<mx::array> parts =
      mx::quantize(mx::astype(values, form.dtype), form.group_size, form.bits);
  return {parts[0], parts[1], parts[2], form.group_size, form.bits};
}

tensor::Weight ConvertedModel::weight(const std::string& module) const {
  const bool changed = merge_ && merge_->changes(module);
  const WeightForm wanted = form(module);
  tensor::Weight own = base_->weight(module);
  const WeightForm has = form_of(*base_, module);
  const bool same =
      has.packed() == wanted.packed() && has.bits == wanted.bits &&
      has.group_size == wanted.group_size && has.dtype == wanted.dtype &&
      (has.block_type == wanted.block_type || !target_.for_gguf || target_.kind == Kind::kKeep);
  if (same && !changed) return own;
  // Some rows at a time: expanded, merged and measured they take several times their room.
  const int rows = own.data.shape(0), columns = own.data.ndim() == 2 ? own.columns() : rows;
  const int step = own.data.ndim() == 2 ? std::max(1, kBlockElements / columns) : rows;
  std::vector<tensor::Weight> parts;
  Change change;
  for (int begin = 0; begin < rows; begin += step) {
    const int end = std::min(rows, begin + step);
    const mx::array base = tensor::dequantized(tensor::weight_rows(own, begin, end), mx::float32);
    const mx::array exact = changed ? merge_->merged(module, base, begin) : base;
    parts.push_back(in_form(module, exact, wanted));
    if (changed) change.add(base, exact, tensor::dequantized(parts.back(), mx::float32));
    evaluate(parts.back());
  }
  if (changed) note(module, change);
  return tensor::joined_rows(parts);
}

std::optional<mx::array> ConvertedModel::bias(const std::string& module) const {
  std::optional<mx::array> own = base_->bias(module);
  if (merge_) own = merge_->bias(module, std::move(own));
  if (own && target_.kind == Kind::kDense && target_.dtype) own = mx::astype(*own, *target_.dtype);
  return own;
}

void ConvertedModel::note(const std::string& module, const Change& change) const {
  ++loss_.modules;
  all_.whole += change.whole;
  all_.arrived += change.arrived;
  all_.missed += change.missed;
  if (change.whole > 0.0 && change.arrived / change.whole < loss_.worst_kept) {
    loss_.worst_kept = change.arrived / change.whole;
    loss_.worst_module = module;
  }
}

MergeLoss ConvertedModel::merge_loss() const {
  MergeLoss loss = loss_;
  if (all_.whole > 0.0) {
    loss.kept = all_.arrived / all_.whole;
    loss.noise = std::sqrt(all_.missed / all_.whole);
  }
  return loss;
}

}  // namespace toolkit::checkpoint

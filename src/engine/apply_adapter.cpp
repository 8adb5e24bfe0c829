#include <set>

#include "core/base/error.h"
#include "engine/adapt.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::engine {

namespace {

using Tensors = std::map<std::string, mx::array>;

[[noreturn]] void refuse(const checkpoint::Adapter& adapter, const std::string& problems) {
  fail(ErrorKind::kUserInput, "the adapter (trained on {}) does not fit this model:{}",
       adapter.base_model.empty() ? "an unnamed model" : adapter.base_model, problems);
}

std::string named(const Tensors& rest) {
  std::string problems;
  for (const auto& [name, tensor] : rest)
    problems += "\n  " + name + ": the model has no such layer";
  return problems;
}

/// Takes `name` out of the tensors.
std::optional<mx::array> taken(Tensors& tensors, const std::string& name) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) return std::nullopt;
  const mx::array tensor = mx::astype(found->second, mx::float32);
  tensors.erase(found);
  return tensor;
}

std::optional<nn::Dora> dora_of(const nn::Linear& layer, const tensor::LoraBranch& lora,
                                const mx::array& magnitude) {
  nn::Dora dora{.magnitude = magnitude, .squared_norms = nn::squared_row_norms(layer.weight)};
  dora.scale = mx::contiguous(
      tensor::dora_scale({.weight = &layer.weight,
                          .lora = &lora,
                          .dora = tensor::DoraTerms{&dora.magnitude, &dora.squared_norms}}));
  mx::eval(*dora.scale);
  return dora;
}

void apply_branches(models::Decoder& model, const checkpoint::Adapter& adapter) {
  const std::vector<LayerBranch> branches = adapter_branches(model, adapter);
  remove_adapter(model);
  for (const LayerBranch& branch : branches) {
    branch.layer->lora = branch.lora;
    branch.layer->dora = branch.dora;
  }
}

void apply_weights(models::Decoder& model, const checkpoint::Adapter& adapter) {
  Tensors rest = adapter.tensors;
  std::string problems;
  std::set<std::string> names;
  for (const models::ModelParameter& parameter : model.parameters()) {
    const auto found = rest.find(parameter.name);
    if (found == rest.end()) continue;
    if (found->second.shape() != parameter.shape) {
      std::string shape;
      for (const int size : parameter.shape)
        shape += (shape.empty() ? "" : ", ") + std::to_string(size);
      problems += fmt::format("\n  {}: expected ({})", parameter.name, shape);
    }
    names.insert(parameter.name);
    rest.erase(found);
  }
  problems += named(rest);
  if (!problems.empty()) refuse(adapter, problems);
  remove_adapter(model);
  model.make_dense(names);
  for (models::ModelParameter& parameter : model.parameters()) {
    if (!names.contains(parameter.name)) continue;
    mx::array value = mx::astype(adapter.tensors.at(parameter.name), mx::float32);
    if (parameter.kind == models::ModelParameter::Kind::kNorm && model.config().norm_adds_one)
      value = mx::add(value, mx::array(1.0f));
    mx::eval(value);
    for (mx::array* place : parameter.places) *place = value;
  }
}

}  // namespace

std::vector<LayerBranch> adapter_branches(models::Decoder& model,
                                          const checkpoint::Adapter& adapter) {
  if (adapter.method == checkpoint::AdapterMethod::kFull)
    fail(ErrorKind::kUnsupported,
         "a full adapter replaces the model's weights: it cannot stand beside others");
  Tensors rest = adapter.tensors;
  std::string problems;
  std::vector<LayerBranch> branches;
  for (const auto& [path, layer] : model.linears()) {
    if (!rest.contains(path + ".lora_a") || !rest.contains(path + ".lora_b")) continue;
    mx::array a = *taken(rest, path + ".lora_a"), b = *taken(rest, path + ".lora_b");
    const std::optional<mx::array> magnitude = taken(rest, path + ".m");
    const int inputs = layer->weight.columns(), outputs = layer->weight.rows();
    if (a.ndim() != 2 || b.ndim() != 2 || a.shape(0) != inputs || b.shape(1) != outputs ||
        a.shape(1) != b.shape(0)) {
      problems += fmt::format("\n  {}: expected ({}, r) and (r, {})", path, inputs, outputs);
    } else if (magnitude && magnitude->shape() != mx::Shape{outputs}) {
      problems += fmt::format("\n  {}.m: expected ({})", path, outputs);
    } else if (problems.empty()) {
      a = mx::contiguous(a), b = mx::contiguous(b);
      mx::eval(a, b);
      const tensor::LoraBranch lora{.a = a, .b = b, .scale = adapter.scale_of(path)};
      branches.push_back({layer, lora, std::nullopt});
      if (magnitude) branches.back().dora = dora_of(*layer, lora, *magnitude);
    }
  }
  problems += named(rest);
  if (!problems.empty()) refuse(adapter, problems);
  return branches;
}

void apply_adapter(models::Decoder& model, const checkpoint::Adapter& adapter) {
  if (adapter.method == checkpoint::AdapterMethod::kFull)
    apply_weights(model, adapter);
  else
    apply_branches(model, adapter);
}

void remove_adapter(models::Decoder& model) {
  for (const auto& [path, layer] : model.linears()) {
    layer->lora.reset();
    layer->dora.reset();
  }
}

}  // namespace toolkit::engine

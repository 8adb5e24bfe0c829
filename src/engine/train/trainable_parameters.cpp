#include "engine/train/trainable_parameters.h"

#include "core/base/error.h"
#include "core/tensor/embedding.h"
#include "mlx/array.h"

namespace toolkit::engine {

namespace {

ParameterRole role_of(models::ModelParameter::Kind kind) {
  using Kind = models::ModelParameter::Kind;
  switch (kind) {
    case Kind::kEmbedding:
      return ParameterRole::kEmbedding;
    case Kind::kNorm:
      return ParameterRole::kNorm;
    case Kind::kBias:
      return ParameterRole::kBias;
    case Kind::kMatrix:
      return ParameterRole::kMatrix;
  }
  fail(ErrorKind::kInternal, "role_of: unknown kind of parameter");
}

}  // namespace

TrainableParameters::TrainableParameters(models::Decoder& model) {
  for (const auto& [path, layer] : model.linears()) {
    if (!layer->lora) continue;
    add(path + ".lora_a", ParameterRole::kLoraA, {&layer->lora->a});
    add(path + ".lora_b", ParameterRole::kLoraB, {&layer->lora->b});
    if (layer->dora) add(path + ".m", ParameterRole::kMagnitude, {&layer->dora->magnitude});
  }
  for (models::ModelParameter& parameter : model.parameters())
    if (model.trained().contains(parameter.name))
      add(parameter.name, role_of(parameter.kind), std::move(parameter.places));
  if (infos_.empty()) fail(ErrorKind::kInternal, "TrainableParameters: nothing is trained");
}

void TrainableParameters::add(std::string name, ParameterRole role,
                              std::vector<mx::array*> places) {
  names_.push_back(name);
  infos_.push_back({std::move(name), role});
  slots_.push_back(std::move(places));
}

std::vector<mx::array> TrainableParameters::values() const {
  std::vector<mx::array> values;
  for (const auto& places : slots_) values.push_back(*places.front());
  return values;
}

void TrainableParameters::assign(std::span<const mx::array> values) {
  if (values.size() != slots_.size())
    fail(ErrorKind::kInternal, "TrainableParameters: {} values for {} parameters", values.size(),
         slots_.size());
  for (size_t i = 0; i < slots_.size(); ++i) {
    const std::vector<mx::array*>& places = slots_[i];
    if (places.size() > 1 && values[i].is_tracer()) {
      const auto uses = tensor::shared_table(values[i], static_cast<int>(places.size()));
      for (size_t k = 0; k < places.size(); ++k) *places[k] = uses[k];
    } else {
      for (mx::array* place : places) *place = values[i];
    }
  }
}

int64_t TrainableParameters::element_count() const {
  int64_t total = 0;
  for (const auto& places : slots_) total += static_cast<int64_t>(places.front()->size());
  return total;
}

}  // namespace toolkit::engine

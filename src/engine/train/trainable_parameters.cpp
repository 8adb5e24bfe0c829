#include "engine/train/trainable_parameters.h"

#include "core/base/error.h"
#include "mlx/array.h"

namespace toolkit::engine {

TrainableParameters::TrainableParameters(models::Decoder& model) {
  for (const auto& [path, layer] : model.linears()) {
    if (!layer->lora) continue;
    names_.push_back(path + ".lora_a");
    slots_.push_back(&layer->lora->a);
    names_.push_back(path + ".lora_b");
    slots_.push_back(&layer->lora->b);
  }
  if (names_.empty())
    fail(ErrorKind::kInternal, "TrainableParameters: the model has no LoRA branch");
}

std::vector<mx::array> TrainableParameters::values() const {
  std::vector<mx::array> values;
  for (const mx::array* slot : slots_) values.push_back(*slot);
  return values;
}

void TrainableParameters::assign(std::span<const mx::array> values) {
  if (values.size() != slots_.size())
    fail(ErrorKind::kInternal, "TrainableParameters: {} values for {} parameters", values.size(),
         slots_.size());
  for (size_t i = 0; i < slots_.size(); ++i) *slots_[i] = values[i];
}

int64_t TrainableParameters::element_count() const {
  int64_t total = 0;
  for (const mx::array* slot : slots_) total += static_cast<int64_t>(slot->size());
  return total;
}

}  // namespace toolkit::engine

#include "projects/finetune/memory_plan.h"

#include <algorithm>
#include <string>

#include "core/base/error.h"
#include "engine/train/trainable_parameters.h"

namespace toolkit::finetune {

namespace {

constexpr int64_t kStep = 64;  // tokens; what is proposed is a multiple of it

double gigabytes(int64_t bytes) {
  return static_cast<double>(bytes) / 1e9;
}

int64_t bytes_of(const tensor::Weight& weight) {
  auto bytes = static_cast<int64_t>(weight.data.nbytes());
  if (weight.scales) bytes += static_cast<int64_t>(weight.scales->nbytes());
  if (weight.biases) bytes += static_cast<int64_t>(weight.biases->nbytes());
  return bytes;
}

// Of one trained value, by the optimizer's name.
double state_bytes(const Config& config) {
  if (config.optimizer == "adamw8bit") return 4 + 1 + 4.0 / 64;
  if (config.optimizer == "lion" || config.optimizer == "muon") return 4;
  if (config.optimizer == "sgd") return config.momentum > 0 ? 4 : 0;
  if (config.optimizer == "adafactor") return 0;  // a row and a column of each matrix
  return 8;
}

// What has to be found beside the model, which is loaded.
int64_t beside_the_model(const models::DecoderConfig& model, engine::TrainingNeeds needs,
                         int64_t places, bool checkpoint_layers) {
  const double supervised_share =
      needs.places > 0 ? static_cast<double>(needs.supervised) / static_cast<double>(needs.places)
                       : 1.0;
  needs.supervised = static_cast<int64_t>(supervised_share * static_cast<double>(places));
  needs.places = places;
  needs.checkpoint_layers = checkpoint_layers;
  const engine::MemoryPlan plan = plan_memory(model, needs);
  return plan.total() - plan.program - plan.weights;
}

}  // namespace

engine::TrainingNeeds training_needs(const Config& config, models::Decoder& model,
                                     const engine::Batches& batches, tensor::Compute compute) {
  engine::TrainingNeeds needs{
      .trained_elements = engine::TrainableParameters(model).element_count(),
      .trains_weights = !model.trained().empty(),
      .trained_layers = config.layers,
      .optimizer_bytes = state_bytes(config),
      .places = batches.shape().tokens(),
      .supervised = batches.supervised_tokens() / batches.per_epoch(),
      .checkpoint_layers = config.checkpoint_layers,
      .compute = compute};
  for (const auto& [path, layer] : model.linears()) {
    needs.weight_bytes += bytes_of(layer->weight);
    needs.linear_elements += int64_t{layer->weight.rows()} * layer->weight.columns();
    if (layer->lora) needs.branch_ranks += layer->lora->a.shape(1);
  }
  for (const models::ModelParameter& parameter : model.parameters())
    if (parameter.kind == models::ModelParameter::Kind::kEmbedding)
      needs.weight_bytes += static_cast<int64_t>(parameter.places[0]->nbytes());
  if (model.config().tied_embeddings)
    needs.linear_elements += int64_t{model.config().vocabulary_size} * model.config().hidden_size;
  return needs;
}

void check_memory(const models::DecoderConfig& model, const engine::TrainingNeeds& needs,
                  int64_t available_bytes) {
  const auto needed = [&](int64_t places, bool checkpoint_layers) {
    return beside_the_model(model, needs, places, checkpoint_layers);
  };
  const bool checkpoint = needs.checkpoint_layers;
  const int64_t asked = needed(needs.places, checkpoint);
  if (available_bytes <= 0 || asked <= available_bytes) return;
  const int64_t fixed = needed(0, checkpoint);
  const int64_t one = std::max<int64_t>(1, (asked - fixed) / std::max<int64_t>(1, needs.places));
  int64_t fits = (available_bytes - fixed) / one / kStep * kStep;
  // The head's share does not grow evenly, so the straight line may be a little off.
  while (fits >= kStep && needed(fits, checkpoint) > available_bytes) fits -= kStep;
  while (fits >= 0 && needed(fits + kStep, checkpoint) <= available_bytes) fits += kStep;
  std::string ways;
  if (fits >= kStep)
    ways = fmt::format("; --batch-tokens and --max-length of at most {} would fit", fits);
  if (!checkpoint && needed(needs.places, true) <= available_bytes)
    ways += ways.empty() ? "; --checkpoint-layers would fit" : ", or --checkpoint-layers";
  if (ways.empty()) ways = "; choose a smaller model, or a method that trains less";
  fail(ErrorKind::kOutOfMemory,
       "a step on {} tokens needs about {:.1f} GB beside the model, but {:.1f} GB are free{}",
       needs.places, gigabytes(asked), gigabytes(available_bytes), ways);
}

}  // namespace toolkit::finetune

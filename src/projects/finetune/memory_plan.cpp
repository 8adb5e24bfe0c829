#include "projects/finetune/memory_plan.h"

#include <set>

#include "core/base/error.h"
#include "engine/adapt.h"
#include "engine/train/batches.h"
#include "projects/finetune/method.h"
#include "projects/finetune/objective.h"

namespace toolkit::finetune {

namespace {

constexpr int64_t kFloat = 4;

// Of one trained value, by the optimizer's name.
double state_bytes(const Config& config) {
  if (config.optimizer == "adamw8bit") return 4 + 1 + 4.0 / 64;
  if (config.optimizer == "lion" || config.optimizer == "muon") return 4;
  if (config.optimizer == "sgd") return config.momentum > 0 ? 4 : 0;
  if (config.optimizer == "adafactor") return 0;  // a row and a column of each matrix
  return 8;
}

/// Bytes of one array of the model once it is loaded.
int64_t loaded_bytes(const models::ModelParameter& parameter, const checkpoint::WeightForm& form,
                     const models::BasePacking& packing, bool trained) {
  using Kind = models::ModelParameter::Kind;
  if (trained || parameter.kind == Kind::kNorm || parameter.kind == Kind::kBias)
    return form.elements() * kFloat;
  const bool packs = !form.packed() && packing.bits > 0 && parameter.kind == Kind::kMatrix &&
                     parameter.layer >= 0 && parameter.shape.back() % packing.group_size == 0;
  if (!packs) return form.bytes();
  return checkpoint::WeightForm{form.shape, form.dtype, packing.bits, packing.group_size}.bytes();
}

void add_weights(const Config& config, const PlanInput& input, engine::TrainingNeeds& needs) {
  using Kind = models::ModelParameter::Kind;
  std::set<std::string> trained;
  if (config.method == "full") trained = engine::fully_trained(input.blank, config.layers);
  const models::BasePacking packing = base_packing(config);
  for (const models::ModelParameter& parameter : input.blank.parameters()) {
    const auto found = input.stored.find(parameter.name);
    const checkpoint::WeightForm form =
        found != input.stored.end()
            ? found->second
            : checkpoint::WeightForm{.shape = parameter.shape, .dtype = mx::float32};
    const int64_t elements = form.elements();
    const bool learns = trained.contains(parameter.name);
    needs.weight_bytes += loaded_bytes(parameter, form, packing, learns);
    if (parameter.kind == Kind::kMatrix) needs.linear_elements += elements;
    if (learns) needs.trained_elements += elements;
  }
  const models::DecoderConfig& model = input.blank.config();
  if (model.tied_embeddings)
    needs.linear_elements += int64_t{model.vocabulary_size} * model.hidden_size;
}

void add_branches(const Config& config, const PlanInput& input, engine::TrainingNeeds& needs) {
  const bool frozen_half = config.init == "pissa";
  for (const engine::BranchShape& branch :
       engine::branch_shapes(input.blank, branch_options(config))) {
    const int64_t elements = int64_t{branch.rank} * (branch.inputs + branch.outputs);
    needs.trained_elements += elements + (config.method == "dora" ? branch.outputs : 0);
    needs.branch_ranks += (frozen_half ? 2 : 1) * branch.rank;
    if (frozen_half) needs.weight_bytes += elements * kFloat;
  }
}

}  // namespace

engine::TrainingNeeds training_needs(const Config& config, const PlanInput& input) {
  const engine::Batches batches(
      input.samples,
      engine::choose_batch_shape(input.samples, config.batch_tokens, config.share_prefix,
                                 learns_from_pairs(config) ? 2 : 1),
      false);
  engine::TrainingNeeds needs{.trains_weights = config.method == "full",
                              .trained_layers = config.layers,
                              .learns_lengths = config.method == "dora",
                              .optimizer_bytes = state_bytes(config),
                              .places = batches.shape().tokens(),
                              .supervised = batches.supervised_tokens() / batches.per_epoch(),
                              .checkpoint_layers = config.checkpoint_layers,
                              .compute = input.compute};
  add_weights(config, input, needs);
  if (config.method != "full") add_branches(config, input, needs);
  return needs;
}

}  // namespace toolkit::finetune

#include "engine/train/loss.h"

#include <numeric>
#include <optional>

#include "core/base/error.h"
#include "core/tensor/cross_entropy.h"
#include "engine/packed_rows.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::engine {

namespace {

tensor::Compute compute_of(models::Decoder& model) {
  return model.linears().front().second->compute;
}

}  // namespace

mx::array loss_sum(models::Decoder& model, const data::PackedBatch& batch,
                   const LossOptions& options) {
  const int supervised = static_cast<int>(batch.predictors.size());
  if (supervised == 0) return mx::array(0.0f);
  const BranchDropout dropout(model, options.regularization, options.draw);
  const std::optional<mx::array> noise =
      embedding_noise(batch, model.config().hidden_size, options.regularization, options.draw);
  const mx::array states =
      predicting_states(model, batch, options.checkpoint_layers, noise ? &*noise : nullptr);
  const mx::array targets(batch.targets.data(), {supervised}, mx::int32);
  const mx::array losses =
      tensor::linear_cross_entropy(states, model.head(), targets,
                                   {.softcap = model.config().logit_softcap,
                                    .label_smoothing = options.regularization.label_smoothing},
                                   compute_of(model));
  return mx::sum(losses);
}

std::pair<mx::array, std::vector<mx::array>> loss_and_gradients(models::Decoder& model,
                                                                TrainableParameters& parameters,
                                                                const data::PackedBatch& batch,
                                                                const LossOptions& options) {
  std::vector<int> all(parameters.size());
  std::iota(all.begin(), all.end(), 0);
  const auto traced = [&](const std::vector<mx::array>& tracers) {
    ParameterSwap swap(parameters, tracers);
    return loss_sum(model, batch, options);
  };
  return mx::value_and_grad(std::function<mx::array(const std::vector<mx::array>&)>(traced),
                            all)(parameters.values());
}

MeasuredLoss measure_loss(models::Decoder& model, const Batches& batches,
                          const std::function<bool(int, int)>& progress, Share share) {
  MeasuredLoss measured;
  for (int i = share.index; i < batches.per_epoch(); i += share.of) {
    if (progress && !progress(i, batches.per_epoch())) {
      measured.complete = false;
      return measured;
    }
    const data::PackedBatch batch = batches.at(i);
    mx::array sum = loss_sum(model, batch);
    measured.sum += sum.item<float>();
    measured.tokens += static_cast<int64_t>(batch.predictors.size());
  }
  return measured;
}

}  // namespace toolkit::engine

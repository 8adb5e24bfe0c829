#include "engine/train/loss.h"

#include <optional>

#include "core/tensor/cross_entropy.h"
#include "engine/packed_rows.h"
#include "mlx/ops.h"

namespace toolkit::engine {

namespace {

tensor::Compute compute_of(models::Decoder& model) {
  return model.linears().front().second->compute;
}

}  // namespace

mx::array token_losses(models::Decoder& model, const data::PackedBatch& batch,
                       const LossOptions& options) {
  const BranchDropout dropout(model, options.regularization, options.draw);
  const std::optional<mx::array> noise =
      embedding_noise(batch, model.config().hidden_size, options.regularization, options.draw);
  const mx::array states =
      predicting_states(model, batch, options.checkpoint_layers, noise ? &*noise : nullptr);
  const mx::array targets(batch.targets.data(), {static_cast<int>(batch.targets.size())},
                          mx::int32);
  return tensor::linear_cross_entropy(states, model.head(), targets,
                                      {.softcap = model.config().logit_softcap,
                                       .label_smoothing = options.regularization.label_smoothing},
                                      compute_of(model));
}

mx::array loss_sum(models::Decoder& model, const data::PackedBatch& batch,
                   const LossOptions& options) {
  if (batch.predictors.empty()) return mx::array(0.0f);
  return mx::sum(token_losses(model, batch, options));
}

}  // namespace toolkit::engine

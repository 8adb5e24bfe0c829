#include "projects/finetune/step_work.h"

namespace toolkit::finetune {

double linear_flops_per_step(models::Decoder& model, const engine::Batches& batches) {
  constexpr double kPerWeight = 4;
  const models::DecoderConfig& config = model.config();
  double weights = 0;
  for (const auto& [path, layer] : model.linears())
    if (path != "lm_head") weights += double(layer->weight.rows()) * layer->weight.columns();
  const double head = double(config.vocabulary_size) * config.hidden_size;
  const double steps = batches.per_epoch();
  return kPerWeight *
         (weights * static_cast<double>(batches.places()) +
          head * static_cast<double>(batches.supervised_tokens())) /
         steps;
}

}  // namespace toolkit::finetune

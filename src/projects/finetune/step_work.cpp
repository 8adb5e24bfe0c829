#include "projects/finetune/step_work.h"

namespace toolkit::finetune {

double linear_flops_per_step(models::Decoder& model, const engine::Batches& batches) {
  constexpr double kFrozen = 4, kTrained = 6;
  const models::DecoderConfig& config = model.config();
  const auto per_weight = [&](const std::string& name) {
    return model.trained().count(name) > 0 ? kTrained : kFrozen;
  };
  double layers = 0;
  for (const auto& [path, layer] : model.linears())
    if (path != "lm_head")
      layers += per_weight(path + ".weight") * layer->weight.rows() * layer->weight.columns();
  const char* head_name = config.tied_embeddings ? "model.embed_tokens.weight" : "lm_head.weight";
  const double head = per_weight(head_name) * config.vocabulary_size * config.hidden_size;
  const double steps = batches.per_epoch();
  return (layers * static_cast<double>(batches.places()) +
          head * static_cast<double>(batches.supervised_tokens())) /
         steps;
}

}  // namespace toolkit::finetune

#include "projects/finetune/fingerprint.h"

#include "core/base/error.h"
#include "core/base/json.h"

namespace toolkit::finetune {

std::string fingerprint(const Config& c, const engine::Batches& batches, int64_t steps,
                        int batches_per_step, const std::string& compute) {
  Json settings{{"model", c.model},
                {"method", c.method},
                {"rank", c.rank},
                {"rslora", c.rslora},
                {"init", c.init},
                {"exclude", c.exclude},
                {"ranks", c.ranks},
                {"quantize_group", c.quantize_group},
                {"dropout", c.dropout},
                {"neftune", c.neftune},
                {"label_smoothing", c.label_smoothing},
                {"alpha", c.alpha},
                {"targets", c.targets},
                {"layers", c.layers},
                {"learning_rate", c.learning_rate},
                {"schedule", c.schedule},
                {"warmup", c.warmup},
                {"decay_share", c.decay_share},
                {"steps", steps},
                {"batch_tokens", c.batch_tokens},
                {"batches_per_step", batches_per_step},
                {"max_length", c.max_length},
                {"clip", c.clip},
                {"optimizer", c.optimizer},
                {"weight_decay", c.weight_decay},
                {"lora_plus_ratio", c.lora_plus_ratio},
                {"beta1", c.beta1},
                {"beta2", c.beta2},
                {"momentum", c.momentum},
                {"nesterov", c.nesterov},
                {"relative_step", c.relative_step},
                {"seed", c.seed},
                {"compute", compute},
                {"training_tokens", batches.tokens()},
                {"training_data", batches.digest()},
                {"shared_prefix", batches.shape().prefix},
                {"batch_rows", batches.shape().rows},
                {"row_length", batches.shape().length}};
  if (c.objective != "sft")
    settings.update({{"objective", c.objective}, {"beta", c.beta}, {"loss_type", c.loss_type}});
  return settings.dump();
}

void check_same_settings(const std::string& saved, const std::string& now) {
  if (saved == now) return;
  const Json before = parse_json(saved, "training_state.safetensors"), current = Json::parse(now);
  std::string changes;
  for (const auto& [key, value] : current.items())
    if (const Json old = before.value(key, Json()); old != value)
      changes += fmt::format("\n  {}: was {}, now {}", key, old.dump(), value.dump());
  fail(ErrorKind::kUserInput, "--resume needs the settings of the interrupted run; these differ:{}",
       changes);
}

}  // namespace toolkit::finetune

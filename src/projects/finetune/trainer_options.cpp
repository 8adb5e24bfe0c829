#include "projects/finetune/trainer_options.h"

#include <algorithm>
#include <cmath>

#include "projects/finetune/method.h"

namespace toolkit::finetune {

int batches_per_step(const Config& config, const distributed::ProcessGroup& processes) {
  return config.accumulate * processes.size();
}

int64_t count_steps(const Config& config, const engine::Batches& batches, int batches_per_step) {
  if (config.steps > 0) return config.steps;
  const auto epoch =
      static_cast<double>(engine::steps_per_epoch(batches.per_epoch(), batches_per_step));
  return std::max<int64_t>(1, std::llround(std::ceil(config.epochs * epoch - 1e-9)));
}

engine::TrainerOptions trainer_options(const Config& config, int64_t steps) {
  const double warmup =
      config.warmup < 1 ? config.warmup * static_cast<double>(steps) : config.warmup;
  return {.steps = steps,
          .schedule = {.decay = optim::decay_from_name(config.schedule),
                       .peak = config.learning_rate,
                       .warmup_steps = static_cast<int>(std::llround(warmup)),
                       .total_steps = static_cast<int>(steps),
                       .decay_share = config.decay_share},
          .accumulate = config.accumulate,
          .optimizer = config.optimizer,
          .optimizer_settings = {.beta1 = config.beta1,
                                 .beta2 = config.beta2,
                                 .weight_decay = config.weight_decay,
                                 .momentum = config.momentum,
                                 .nesterov = config.nesterov,
                                 .relative_step = config.relative_step,
                                 .scale_parameter = config.relative_step},
          .lora_b_rate = config.lora_plus_ratio,
          .clip = config.clip,
          .validate_every = config.validate_every,
          .save_every = config.save_every,
          .patience = config.patience,
          .min_delta = config.min_delta,
          .loss = {.checkpoint_layers = config.checkpoint_layers,
                   .regularization = regularization(config)}};
}

}  // namespace toolkit::finetune

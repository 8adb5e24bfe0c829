#pragma once

#include <cstdint>

#include "core/distributed/process_group.h"
#include "engine/train/batches.h"
#include "engine/train/trainer.h"
#include "projects/finetune/config.h"

namespace toolkit::finetune {

/// Batches of all processes that make one step.
int batches_per_step(const Config& config, const distributed::ProcessGroup& processes);

/// Steps of the whole run: --steps, or as many as --epochs take.
int64_t count_steps(const Config& config, const engine::Batches& batches, int batches_per_step);

/// The settings as the trainer wants them; without fingerprint and processes.
engine::TrainerOptions trainer_options(const Config& config, int64_t steps);

}  // namespace toolkit::finetune

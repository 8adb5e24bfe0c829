#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "engine/train/batches.h"
#include "engine/train/objective.h"
#include "models/decoder.h"
#include "projects/finetune/config.h"

namespace toolkit::finetune {

/// Whether a row is a prompt with a chosen and a rejected answer: every objective but sft.
bool learns_from_pairs(const Config& config);

/// Combinations of settings that cannot work. Throws Error(kUserInput) with what would.
void check_objective(const Config& config);

/// What is minimized on the training rows and measured on the validation rows; null for sft.
struct Objectives {
  std::shared_ptr<const engine::Objective> training, validation;
};

/// The model must still be what training starts from: where its own weights train, DPO's reference
/// log-probabilities are computed here, once. `progress` (done, total) may return false to stop:
/// then nothing is returned.
std::optional<Objectives> objectives(const Config& config, models::Decoder& model,
                                     const engine::Batches& train, const engine::Batches* valid,
                                     const std::function<bool(int, int)>& progress);

}  // namespace toolkit::finetune

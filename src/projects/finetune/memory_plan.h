#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/checkpoint/weight_form.h"
#include "core/data/sample_set.h"
#include "engine/plan/memory_plan.h"
#include "models/decoder.h"
#include "projects/finetune/config.h"

namespace toolkit::finetune {

/// What is known before a weight is read: shapes from the model's headers, lengths of the rows.
struct PlanInput {
  models::Decoder& blank;  // the model's shapes; its arrays are never made
  const std::map<std::string, checkpoint::WeightForm>& stored;  // see models::stored_forms
  const data::SampleSet& samples;                               // of training
  tensor::Compute compute;
};

/// What these settings will hold in memory. Throws Error(kUserInput) for targets, ranks or layers
/// that the model does not have.
engine::TrainingNeeds training_needs(const Config& config, const PlanInput& input);

/// A setting that was changed so that a run fits, and what that costs.
struct SettingChange {
  std::string setting, from, to, why;
};

struct MemoryChoice {
  Config config;  // with the changes
  tensor::Compute compute = tensor::Compute::kFloat32;
  engine::TrainingNeeds needs;  // of that config
  engine::MemoryPlan plan;      // of these needs
  engine::MemoryPlan asked;     // of the config as it was given
  std::vector<SettingChange> changes;
};

/// The settings nearest to those asked for whose plan is at most `limit_bytes` (0: no limit). What
/// costs least is tried first: smaller batches that are accumulated to the same step, down to 256
/// tokens; layers computed twice; f32 in place of int8; yet smaller batches; then, in this order
/// and each with all of these, a smaller optimizer state for full fine-tuning, LoRA in its place, a
/// packed base (QLoRA), and cutting the longest rows, which may lose a tenth of what is to be
/// learned. Throws Error(kOutOfMemory) naming the smallest limit that would do.
MemoryChoice choose_for_memory(const Config& config, const PlanInput& input, int64_t limit_bytes);

/// Throws Error(kOutOfMemory) if the plan does not fit into `available_bytes` beside what the
/// program holds already, with the settings that would. 0: the machine does not say.
void check_memory(const MemoryChoice& choice, const PlanInput& input, int64_t available_bytes);

}  // namespace toolkit::finetune

#pragma once

#include <cstdint>

#include "engine/plan/memory_plan.h"
#include "engine/train/batches.h"
#include "models/decoder.h"
#include "projects/finetune/config.h"

namespace toolkit::finetune {

/// What these settings will hold in memory. The model carries its branches, or names what is
/// trained, already.
engine::TrainingNeeds training_needs(const Config& config, models::Decoder& model,
                                     const engine::Batches& batches, tensor::Compute compute);

/// Throws Error(kOutOfMemory) if what a run needs beside the loaded model would not fit into
/// `available_bytes`, with the settings that would. 0: the machine does not say.
void check_memory(const models::DecoderConfig& model, const engine::TrainingNeeds& needs,
                  int64_t available_bytes);

}  // namespace toolkit::finetune

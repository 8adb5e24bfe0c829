#pragma once

#include <cstdint>
#include <string>

#include "engine/train/batches.h"
#include "projects/finetune/config.h"

namespace toolkit::finetune {

/// What decides the numbers of a run, as JSON: a state may be continued only under the same.
/// `batches_per_step` counts those of all processes, so that a run may go on with more or fewer.
std::string fingerprint(const Config& config, const engine::Batches& batches, int64_t steps,
                        int batches_per_step, const std::string& compute);

/// Throws Error(kUserInput) naming each setting that differs.
void check_same_settings(const std::string& saved, const std::string& now);

}  // namespace toolkit::finetune

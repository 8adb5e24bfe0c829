#pragma once

#include "engine/train/batches.h"
#include "models/decoder.h"

namespace toolkit::finetune {

/// Floating-point operations the linear layers need for a mean training step: per weight and place
/// two forward and two for the input's gradient, and two more for its own where it is trained. The
/// head is needed for supervised tokens only. LoRA branches, attention and norms are not counted.
double linear_flops_per_step(models::Decoder& model, const engine::Batches& batches);

}  // namespace toolkit::finetune

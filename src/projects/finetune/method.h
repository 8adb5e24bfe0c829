#pragma once

#include <string>
#include <vector>

#include "core/checkpoint/adapter.h"
#include "engine/adapt.h"
#include "engine/train/regularization.h"
#include "models/decoder.h"
#include "projects/finetune/config.h"

namespace toolkit::finetune {

/// Combinations of method settings that cannot work. Throws Error(kUserInput) with what would.
void check_method(const Config& config);

/// How the base is packed while it is loaded: `--method qlora`.
models::BasePacking base_packing(const Config& config);

/// The branches of `--method lora`, qlora and dora.
engine::LoraOptions branch_options(const Config& config);

/// What the settings train, for page and record: "lora", "dora, rsLoRA", "qlora, PiSSA".
std::string method_name(const Config& config);

/// Makes the model's trainable arrays those of the method. Returns what is saved, without its
/// tensors; tells in `notes` what a user should know.
checkpoint::Adapter prepare_method(const Config& config, models::Decoder& model,
                                   std::vector<std::string>& notes);

engine::Regularization regularization(const Config& config);

}  // namespace toolkit::finetune

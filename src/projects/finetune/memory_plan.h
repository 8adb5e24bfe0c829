#pragma once

#include <cstdint>

#include "models/decoder.h"

namespace toolkit::finetune {

/// About how much memory one training step needs beside the model: what the backward pass keeps of
/// every layer for `tokens` places, measured on the CPU kernels (SmolLM2-135M: 1.25 MB a token).
int64_t step_bytes(const models::DecoderConfig& model, int64_t tokens, bool checkpoint_layers);

/// Throws Error(kOutOfMemory) if a step would not fit into `available_bytes`, with the settings
/// that would.
void check_memory(const models::DecoderConfig& model, int64_t tokens, bool checkpoint_layers,
                  int64_t available_bytes);

}  // namespace toolkit::finetune

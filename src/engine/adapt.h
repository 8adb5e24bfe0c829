#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/checkpoint/adapter.h"
#include "models/decoder.h"

namespace toolkit::engine {

struct LoraOptions {
  int rank = 8;
  float scale = 2.0f;  // alpha / rank
  /// Which linear layers: "q_proj" or "self_attn.q_proj", or the groups "attention", "mlp"; empty
  /// or "all": every linear layer of the chosen decoder layers.
  std::vector<std::string> targets;
  int num_layers = -1;  // the last N decoder layers; -1: all
  uint64_t seed = 0;
};

/// Gives layers a fresh LoRA branch: a ~ U(-1/sqrt(in), 1/sqrt(in)), b = 0, so that the model's
/// output does not change. (Hu et al. 2021, arXiv:2106.09685). Returns the layer-relative paths
/// chosen
/// ("self_attn.q_proj", ...), in model order. Throws Error(kUserInput) for a rank below 1 or above
/// a layer's width, more layers than there are, or a target that no layer has (naming those there
/// are).
std::vector<std::string> attach_lora(models::Decoder& model, const LoraOptions& options);

/// Puts a saved adapter on the model, replacing any other. Throws Error(kUserInput) naming every
/// tensor whose module or shape the model does not have.
void apply_adapter(models::Decoder& model, const checkpoint::Adapter& adapter);

/// Takes every LoRA branch off.
void remove_adapter(models::Decoder& model);

}  // namespace toolkit::engine

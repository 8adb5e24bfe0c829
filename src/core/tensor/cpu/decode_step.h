#pragma once

#include "core/tensor/cpu/low_rank_kernel.h"
#include "core/tensor/cpu/weight_view.h"
#include "core/tensor/decode_layer.h"

namespace toolkit::tensor::cpu {

/// The CPU side of core/tensor/decode_layer.h.
bool can_decode(const LinearTerms& map);
bool can_decode(const LoraBranch& lora);
void decode_layer(const DecodeLayer& layer, const DecodeSettings& settings, int position,
                  std::span<float> x, float* keys, float* values);
void decode_head(const mx::array& norm, const LinearTerms& head, float norm_eps,
                 std::span<const float> x, std::span<float> logits);

/// The memory of evaluated arrays.
WeightView view_of(const Weight& weight);
LowRankBranch view_of(const LoraBranch& lora);

}  // namespace toolkit::tensor::cpu

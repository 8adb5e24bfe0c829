#pragma once

#include "core/tensor/decode_layer.h"

namespace toolkit::tensor::cpu {

/// The CPU side of core/tensor/decode_layer.h.
bool can_decode(const LinearTerms& map);
void decode_layer(const DecodeLayer& layer, const DecodeSettings& settings, int position,
                  std::span<float> x, float* keys, float* values);
void decode_head(const mx::array& norm, const LinearTerms& head, float norm_eps,
                 std::span<const float> x, std::span<float> logits);

}  // namespace toolkit::tensor::cpu

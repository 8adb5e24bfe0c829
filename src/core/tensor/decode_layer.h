#pragma once

#include <cstdint>
#include <span>

#include "core/tensor/gated_activation.h"
#include "core/tensor/linear.h"

/// Generation one token at a time on the CPU, outside MLX's graph: scheduling dozens of small ops
/// per layer would cost more than reading the weights does. All arrays must be evaluated;
/// everything is done when a function returns. Elsewhere (`can_decode` is false) use the ops one by
/// one.
namespace toolkit::tensor {

/// Sizes and settings that all layers share.
struct DecodeSettings {
  int heads, kv_heads, head_dim;
  float norm_eps;
  float attention_scale;           // of q k^T
  float attention_softcap = 0.0f;  // see AttentionOptions
  Gate gate = Gate::kSilu;
};

/// Where one layer's weights lie. Norm weights are (C) or (D) f32; null: that norm is not there.
struct DecodeLayer {
  LinearTerms q, k, v, o, gate, up, down;
  const mx::array* attention_norm;
  const mx::array* mlp_norm;
  const mx::array* q_norm = nullptr;  // of each head
  const mx::array* k_norm = nullptr;
  const mx::array* attention_output_norm = nullptr;  // of what is added to the residual stream
  const mx::array* mlp_output_norm = nullptr;
  const mx::array* frequencies = nullptr;  // (D'/2), see rope; null: keys are not rotated
  float rope_scale = 1.0f;
  int window = 0;  // see AttentionOptions
};

/// Whether the CPU kernels are in use and can read these weights where they lie.
bool can_decode(const DecodeLayer& layer);
bool can_decode(const LinearTerms& map);
bool can_decode(const LoraBranch& lora);

/// Row `id` of the table (V, C), times `scale` -> x (C). The table must be one that `can_decode`
/// takes as a map.
void decode_embedding(const Weight& table, int32_t id, float scale, std::span<float> x);

/// One layer for the token at `position`: x += attention(norm(x)), x += mlp(norm(x)).
///   x             (C), the residual stream, changed in place
///   keys, values  (capacity, Hkv, D) caches: row `position` is written, rows up to it are read
void decode_layer(const DecodeLayer& layer, const DecodeSettings& settings, int position,
                  std::span<float> x, float* keys, float* values);

/// Final norm and head: x (C) -> logits (V).
void decode_head(const mx::array& norm, const LinearTerms& head, float norm_eps,
                 std::span<const float> x, std::span<float> logits);

}  // namespace toolkit::tensor

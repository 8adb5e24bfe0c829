#include <cmath>

#include "core/base/error.h"
#include "core/tensor/decode_layer.h"
#include "models/decoder_parts.h"
#include "models/kv_cache.h"

namespace toolkit::models {

namespace {

const mx::array* pointer(const std::optional<mx::array>& array) {
  return array ? &*array : nullptr;
}

bool complete(const DecoderBlock& block) {
  const Attention& a = block.self_attn;
  const Mlp& m = block.mlp;
  for (const nn::Linear* layer :
       {&a.q_proj, &a.k_proj, &a.v_proj, &a.o_proj, &m.gate_proj, &m.up_proj, &m.down_proj})
    if (!layer->complete_in_terms()) return false;
  return true;
}

tensor::DecodeLayer layer_view(const DecoderBlock& block, const DecoderConfig& config,
                               const std::vector<mx::array>& frequencies) {
  const DecoderConfig::Layer& layer = config.layers[static_cast<size_t>(block.index)];
  const auto rope = static_cast<size_t>(layer.rope);
  return {.q = block.self_attn.q_proj.terms(),
          .k = block.self_attn.k_proj.terms(),
          .v = block.self_attn.v_proj.terms(),
          .o = block.self_attn.o_proj.terms(),
          .gate = block.mlp.gate_proj.terms(),
          .up = block.mlp.up_proj.terms(),
          .down = block.mlp.down_proj.terms(),
          .attention_norm = &block.attention_norm,
          .mlp_norm = &block.mlp_norm,
          .q_norm = pointer(block.self_attn.q_norm),
          .k_norm = pointer(block.self_attn.k_norm),
          .attention_output_norm = pointer(block.attention_output_norm),
          .mlp_output_norm = pointer(block.mlp_output_norm),
          .frequencies = layer.rotates ? &frequencies[rope] : nullptr,
          .rope_scale = layer.rotates ? config.ropes[rope].scale : 1.0f,
          .window = layer.window};
}

}  // namespace

bool Decoder::decode_token(int32_t id, KvCache& cache, std::span<float> logits) const {
  const DecoderConfig& c = parts_->config;
  const tensor::LinearTerms head = parts_->lm_head.terms();
  if (cache.batch() != 1 || !tensor::can_decode(head) ||
      !tensor::can_decode(tensor::LinearTerms{.weight = &parts_->embed_tokens.table}))
    return false;
  std::vector<tensor::DecodeLayer> layers;
  for (const DecoderBlock& block : parts_->layers) {
    if (!complete(block)) return false;
    layers.push_back(layer_view(block, c, parts_->frequencies));
    if (!tensor::can_decode(layers.back())) return false;
  }
  cache.reserve(cache.length() + 1);
  const tensor::DecodeSettings settings{.heads = c.num_heads,
                                        .kv_heads = c.num_kv_heads,
                                        .head_dim = c.head_dim,
                                        .norm_eps = c.norm_eps,
                                        .attention_scale = c.attention_scale,
                                        .attention_softcap = c.attention_softcap,
                                        .gate = c.gate};
  std::vector<float> x(static_cast<size_t>(c.hidden_size));
  tensor::decode_embedding(parts_->embed_tokens.table, id, c.embedding_scale, x);
  for (size_t i = 0; i < layers.size(); ++i) {
    const int layer = static_cast<int>(i);
    tensor::decode_layer(layers[i], settings, cache.length(), x, cache.keys(layer),
                         cache.values(layer));
  }
  tensor::decode_head(parts_->norm, head, c.norm_eps, x, logits);
  if (c.logit_softcap != 0.0f)
    for (float& logit : logits) logit = c.logit_softcap * std::tanh(logit / c.logit_softcap);
  cache.advance(1);
  return true;
}

}  // namespace toolkit::models

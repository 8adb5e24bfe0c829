#include "models/layer_view.h"

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
    if (layer->learns_magnitude()) return false;
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

std::vector<tensor::DecodeLayer> layer_views(const Decoder::Parts& parts) {
  const tensor::LinearTerms head = parts.lm_head.terms();
  if (!tensor::can_decode(head) ||
      !tensor::can_decode(tensor::LinearTerms{.weight = &parts.embed_tokens.table}))
    return {};
  std::vector<tensor::DecodeLayer> layers;
  for (const DecoderBlock& block : parts.layers) {
    if (!complete(block)) return {};
    layers.push_back(layer_view(block, parts.config, parts.frequencies));
    if (!tensor::can_decode(layers.back())) return {};
  }
  return layers;
}

tensor::DecodeSettings decode_settings(const DecoderConfig& c) {
  return {.heads = c.num_heads,
          .kv_heads = c.num_kv_heads,
          .head_dim = c.head_dim,
          .norm_eps = c.norm_eps,
          .attention_scale = c.attention_scale,
          .attention_softcap = c.attention_softcap,
          .gate = c.gate};
}

}  // namespace toolkit::models

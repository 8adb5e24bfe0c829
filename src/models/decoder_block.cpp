#include "models/decoder_block.h"

#include "core/tensor/attention.h"
#include "core/tensor/rms_norm.h"
#include "core/tensor/rope.h"
#include "mlx/ops.h"
#include "models/kv_cache.h"

namespace toolkit::models {

nn::Linear blank_linear(int in, int out, bool bias) {
  nn::Linear layer{.weight = {.data = mx::zeros({out, in}, mx::float32)}};
  if (bias) layer.bias = mx::zeros({out}, mx::float32);
  return layer;
}

namespace {

Attention blank_attention(const DecoderConfig& c) {
  const int queries = c.num_heads * c.head_dim, keys = c.num_kv_heads * c.head_dim;
  Attention attention{.q_proj = blank_linear(c.hidden_size, queries, c.attention_bias),
                      .k_proj = blank_linear(c.hidden_size, keys, c.attention_bias),
                      .v_proj = blank_linear(c.hidden_size, keys, c.attention_bias),
                      .o_proj = blank_linear(queries, c.hidden_size, c.output_bias)};
  if (c.query_key_norm) attention.q_norm = attention.k_norm = mx::ones({c.head_dim}, mx::float32);
  return attention;
}

Mlp blank_mlp(const DecoderConfig& c) {
  return {.gate_proj = blank_linear(c.hidden_size, c.intermediate_size, c.mlp_bias),
          .up_proj = blank_linear(c.hidden_size, c.intermediate_size, c.mlp_bias),
          .down_proj = blank_linear(c.intermediate_size, c.hidden_size, c.mlp_bias)};
}

}  // namespace

DecoderBlock::DecoderBlock(const DecoderConfig& config, int layer)
    : index(layer),
      self_attn(blank_attention(config)),
      mlp(blank_mlp(config)),
      attention_norm(mx::ones({config.hidden_size}, mx::float32)),
      mlp_norm(attention_norm) {
  if (config.post_norms) attention_output_norm = mlp_output_norm = attention_norm;
}

std::pair<mx::array, mx::array> normed_sum(const Residual& in, const mx::array& weight, float eps) {
  if (in.delta) return tensor::add_rms_norm(in.x, *in.delta, weight, eps);
  return {in.x, tensor::rms_norm(in.x, weight, eps)};
}

namespace {

// Without a shared prefix, packed rows need no position of their own: scores depend on differences.
mx::array rotated(const mx::array& x, size_t rope, const BlockContext& context) {
  const mx::array& frequencies = (*context.frequencies)[rope];
  const float scale = context.config->ropes[rope].scale;
  if (context.shared) return tensor::rope(x, frequencies, context.shared->positions, scale);
  return tensor::rope(x, frequencies, context.cache ? context.cache->length() : 0, scale);
}

}  // namespace

mx::array DecoderBlock::attend(const mx::array& normed, const BlockContext& context) const {
  const DecoderConfig& config = *context.config;
  const DecoderConfig::Layer& layer = config.layers[static_cast<size_t>(index)];
  const int batch = normed.shape(0), tokens = normed.shape(1);
  const std::vector<mx::array> projected =
      nn::apply_together(normed, {&self_attn.q_proj, &self_attn.k_proj, &self_attn.v_proj});
  mx::array q = mx::reshape(projected[0], {batch, tokens, config.num_heads, config.head_dim});
  mx::array k = mx::reshape(projected[1], {batch, tokens, config.num_kv_heads, config.head_dim});
  mx::array v = mx::reshape(projected[2], {batch, tokens, config.num_kv_heads, config.head_dim});
  if (self_attn.q_norm) {
    q = tensor::rms_norm(q, *self_attn.q_norm, config.norm_eps);
    k = tensor::rms_norm(k, *self_attn.k_norm, config.norm_eps);
  }
  if (layer.rotates) {
    const auto rope = static_cast<size_t>(layer.rope);
    q = rotated(q, rope, context);
    k = rotated(k, rope, context);
  }
  if (context.cache) std::tie(k, v) = context.cache->append(index, k, v);
  tensor::AttentionOptions options{
      .scale = config.attention_scale, .window = layer.window, .softcap = config.attention_softcap};
  if (context.segments) options.segments = *context.segments;
  if (context.shared) options.prefix = context.shared->lengths;
  options.masks = context.masks.get();
  const mx::array seen = tensor::attention(q, k, v, options);
  return self_attn.o_proj(mx::reshape(seen, {batch, tokens, config.num_heads * config.head_dim}));
}

Residual DecoderBlock::operator()(const Residual& in, const BlockContext& context) const {
  const float eps = context.config->norm_eps;
  const auto [before, normed] = normed_sum(in, attention_norm, eps);
  mx::array attended = attend(normed, context);
  if (attention_output_norm) attended = tensor::rms_norm(attended, *attention_output_norm, eps);

  const auto [between, mlp_input] = normed_sum({before, attended}, mlp_norm, eps);
  const std::vector<mx::array> gate_up =
      nn::apply_together(mlp_input, {&mlp.gate_proj, &mlp.up_proj});
  mx::array out =
      mlp.down_proj(tensor::gated_activation(gate_up[0], gate_up[1], context.config->gate));
  if (mlp_output_norm) out = tensor::rms_norm(out, *mlp_output_norm, eps);
  return {between, out};
}

}  // namespace toolkit::models

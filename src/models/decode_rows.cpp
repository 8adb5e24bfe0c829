#include "models/decode_rows.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "models/decoder_parts.h"
#include "models/layer_view.h"

namespace toolkit::models {

namespace {

bool has_branches(const Decoder::Parts& parts) {
  return std::any_of(parts.layers.begin(), parts.layers.end(), [](const DecoderBlock& block) {
    const Attention& a = block.self_attn;
    const Mlp& m = block.mlp;
    for (const nn::Linear* layer :
         {&a.q_proj, &a.k_proj, &a.v_proj, &a.o_proj, &m.gate_proj, &m.up_proj, &m.down_proj})
      if (layer->lora) return true;
    return false;
  });
}

}  // namespace

BranchTable branch_table(const Decoder& model,
                         const std::map<const nn::Linear*, tensor::RowBranch>& branches) {
  const Decoder::Parts& parts = model.parts();
  const auto of = [&](const nn::Linear& layer) {
    const auto found = branches.find(&layer);
    return found == branches.end() ? tensor::RowBranch{} : found->second;
  };
  BranchTable table;
  for (const DecoderBlock& block : parts.layers) {
    const Attention& a = block.self_attn;
    const Mlp& m = block.mlp;
    table.layers.push_back({.q = of(a.q_proj),
                            .k = of(a.k_proj),
                            .v = of(a.v_proj),
                            .o = of(a.o_proj),
                            .gate = of(m.gate_proj),
                            .up = of(m.up_proj),
                            .down = of(m.down_proj)});
  }
  table.head = of(parts.lm_head);
  return table;
}

namespace {

/// Every linear layer, a tied head too.
std::vector<nn::Linear*> all_linears(Decoder& model) {
  std::vector<nn::Linear*> layers;
  for (const auto& [path, layer] : model.linears()) layers.push_back(layer);
  if (model.config().tied_embeddings) layers.push_back(&model.parts().lm_head);
  return layers;
}

int64_t packed_bytes(const nn::Linear& layer) {
  const tensor::Weight& weight = layer.weight;
  if (!weight.quantized()) return 0;
  const size_t bytes = weight.data.nbytes() + weight.scales->nbytes() +
                       (weight.biases ? weight.biases->nbytes() : 0);
  return static_cast<int64_t>(bytes);
}

}  // namespace

int64_t rows_bytes(Decoder& model) {
  int64_t bytes = 0;
  for (const nn::Linear* layer : all_linears(model)) bytes += packed_bytes(*layer);
  return bytes;
}

int64_t prepare_for_rows(Decoder& model) {
  int64_t bytes = 0;
  for (nn::Linear* layer : all_linears(model)) {
    const auto before = layer->prepared;
    layer->prepared = tensor::prepare_for_rows(layer->weight, before);
    if (layer->prepared != before) bytes += packed_bytes(*layer);
  }
  return bytes;
}

tensor::KvBlockShape kv_block_shape(const DecoderConfig& config, bool int8) {
  return {.layers = config.num_layers,
          .kv_heads = config.num_kv_heads,
          .head_dim = config.head_dim,
          .int8 = int8};
}

bool can_decode_rows(const Decoder& model) {
  return !layer_views(model.parts()).empty() && !has_branches(model.parts());
}

void decode_rows(const Decoder& model, const tensor::KvBlockShape& blocks,
                 std::span<const TokenRow> rows, std::span<float> logits) {
  const Decoder::Parts& parts = model.parts();
  const DecoderConfig& c = parts.config;
  const std::vector<tensor::DecodeLayer> layers = layer_views(parts);
  if (layers.empty()) fail(ErrorKind::kInternal, "decode_rows: the kernels cannot run this model");
  const tensor::DecodeSettings settings = decode_settings(c);
  const auto channels = static_cast<size_t>(c.hidden_size);
  std::vector<float> x(rows.size() * channels);
  std::vector<tensor::DecodeRow> tokens(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    tokens[i] = {.position = rows[i].position, .blocks = rows[i].blocks};
    tensor::decode_embedding(parts.embed_tokens.table, rows[i].id, c.embedding_scale,
                             std::span(x).subspan(i * channels, channels));
  }
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    for (size_t i = 0; i < rows.size(); ++i)
      if (rows[i].branches) tokens[i].branches = &rows[i].branches->layers[layer];
    tensor::decode_rows(layers[layer], settings, blocks, static_cast<int>(layer), tokens, x);
  }
  size_t wanted = 0;
  std::vector<tensor::RowBranch> heads;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].wants_logits) continue;
    std::copy_n(x.begin() + static_cast<std::ptrdiff_t>(i * channels), channels,
                x.begin() + static_cast<std::ptrdiff_t>(wanted++ * channels));
    heads.push_back(rows[i].branches ? rows[i].branches->head : tensor::RowBranch{});
  }
  tensor::decode_head_rows(parts.norm, parts.lm_head.terms(), c.norm_eps, heads,
                           std::span(x).first(wanted * channels), logits);
  if (c.logit_softcap != 0.0f)
    for (float& logit : logits) logit = c.logit_softcap * std::tanh(logit / c.logit_softcap);
}

}  // namespace toolkit::models

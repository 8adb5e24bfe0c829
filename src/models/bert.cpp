#include "models/bert.h"

#include <cmath>

#include "core/tensor/attention.h"
#include "mlx/ops.h"
#include "models/bert_parts.h"

namespace toolkit::models {

namespace {

nn::Linear blank_linear(int in, int out) {
  return {.weight = {.data = mx::zeros({out, in}, mx::float32)},
          .bias = mx::zeros({out}, mx::float32)};
}

nn::Embedding blank_embedding(int rows, int width) {
  return {.table = {.data = mx::zeros({rows, width}, mx::float32)}};
}

BertLayer blank_layer(const BertConfig& c) {
  const nn::LayerNorm norm{mx::ones({c.hidden_size}, mx::float32),
                           mx::zeros({c.hidden_size}, mx::float32)};
  return {.query = blank_linear(c.hidden_size, c.hidden_size),
          .key = blank_linear(c.hidden_size, c.hidden_size),
          .value = blank_linear(c.hidden_size, c.hidden_size),
          .attention_output = blank_linear(c.hidden_size, c.hidden_size),
          .intermediate = blank_linear(c.hidden_size, c.intermediate_size),
          .output = blank_linear(c.intermediate_size, c.hidden_size),
          .attention_norm = norm,
          .output_norm = norm};
}

BertEncoder::Parts blank_parts(BertConfig c) {
  const int width = c.hidden_size;
  BertEncoder::Parts parts{
      .config = c,
      .words = blank_embedding(c.vocabulary_size, width),
      .positions = blank_embedding(c.max_positions, width),
      .types = blank_embedding(c.token_types, width),
      .embedding_norm = {mx::ones({width}, mx::float32), mx::zeros({width}, mx::float32)}};
  for (int i = 0; i < c.num_layers; ++i) parts.layers.push_back(blank_layer(c));
  return parts;
}

/// What one pass shares between its layers.
struct Pass {
  const BertConfig* config;
  const mx::array* segments;
  tensor::AttentionMasks masks;
};

mx::array attend(const BertLayer& layer, const mx::array& x, Pass& pass) {
  const int rows = x.shape(0), tokens = x.shape(1), heads = pass.config->num_heads;
  const int width = pass.config->hidden_size / heads;
  std::vector<mx::array> qkv = nn::apply_together(x, {&layer.query, &layer.key, &layer.value});
  for (mx::array& part : qkv) part = mx::reshape(part, {rows, tokens, heads, width});
  const tensor::AttentionOptions options{.scale = 1.0f / std::sqrt(static_cast<float>(width)),
                                         .causal = false,
                                         .segments = *pass.segments,
                                         .masks = &pass.masks};
  return mx::reshape(tensor::attention(qkv[0], qkv[1], qkv[2], options),
                     {rows, tokens, pass.config->hidden_size});
}

mx::array encode(const BertLayer& layer, const mx::array& x, Pass& pass) {
  const float eps = pass.config->norm_eps;
  const mx::array attended = layer.attention_output(attend(layer, x, pass));
  const mx::array between = layer.attention_norm(attended, eps, &x);
  const mx::array wide = tensor::activation(layer.intermediate(between), pass.config->activation);
  return layer.output_norm(layer.output(wide), eps, &between);
}

}  // namespace

BertEncoder::BertEncoder(BertConfig config)
    : parts_(std::make_unique<Parts>(blank_parts(std::move(config)))) {}
BertEncoder::~BertEncoder() = default;
BertEncoder::BertEncoder(BertEncoder&&) noexcept = default;

const BertConfig& BertEncoder::config() const {
  return parts_->config;
}

mx::array BertEncoder::hidden(const mx::array& ids, const mx::array& segments,
                              const mx::array& positions) const {
  const BertConfig& config = parts_->config;
  const mx::array at = mx::add(positions, mx::array(config.first_position, mx::int32));
  // Every text is one of a pair's first halves: type 0.
  const mx::array types = parts_->types(mx::zeros({1, 1}, mx::int32));
  const mx::array words = mx::add(parts_->words(ids), types);
  const mx::array places = parts_->positions(at);
  mx::array x = parts_->embedding_norm(words, config.norm_eps, &places);
  Pass pass{&config, &segments, {}};
  for (const BertLayer& layer : parts_->layers) x = encode(layer, x, pass);
  return x;
}

void BertEncoder::set_compute(tensor::Compute compute) {
  for (nn::Embedding* table : {&parts_->words, &parts_->positions, &parts_->types})
    table->compute = compute;
  for (BertLayer& layer : parts_->layers)
    for (nn::Linear* linear : {&layer.query, &layer.key, &layer.value, &layer.attention_output,
                               &layer.intermediate, &layer.output}) {
      linear->compute = compute;
      linear->prepared = tensor::prepare(linear->weight, compute);
    }
}

}  // namespace toolkit::models

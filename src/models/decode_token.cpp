#include <cmath>

#include "core/tensor/decode_layer.h"
#include "models/decoder_parts.h"
#include "models/kv_cache.h"
#include "models/layer_view.h"

namespace toolkit::models {

bool Decoder::decode_token(int32_t id, KvCache& cache, std::span<float> logits) const {
  const DecoderConfig& c = parts_->config;
  if (cache.batch() != 1) return false;
  const std::vector<tensor::DecodeLayer> layers = layer_views(*parts_);
  if (layers.empty()) return false;
  cache.reserve(cache.length() + 1);
  const tensor::DecodeSettings settings = decode_settings(c);
  std::vector<float> x(static_cast<size_t>(c.hidden_size));
  tensor::decode_embedding(parts_->embed_tokens.table, id, c.embedding_scale, x);
  for (size_t i = 0; i < layers.size(); ++i) {
    const int layer = static_cast<int>(i);
    tensor::decode_layer(layers[i], settings, cache.length(), x, cache.keys(layer),
                         cache.values(layer));
  }
  tensor::decode_head(parts_->norm, parts_->lm_head.terms(), c.norm_eps, x, logits);
  if (c.logit_softcap != 0.0f)
    for (float& logit : logits) logit = c.logit_softcap * std::tanh(logit / c.logit_softcap);
  cache.advance(1);
  return true;
}

}  // namespace toolkit::models

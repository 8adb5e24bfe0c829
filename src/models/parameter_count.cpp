#include "models/parameter_count.h"

namespace toolkit::models {

int64_t parameter_count(const DecoderConfig& config) {
  const int64_t hidden = config.hidden_size, inner = config.intermediate_size,
                head = config.head_dim;
  const int64_t query = config.num_heads * head, key = config.num_kv_heads * head;
  int64_t layer = hidden * (query + 2 * key) + query * hidden + 3 * hidden * inner + 2 * hidden;
  if (config.attention_bias) layer += query + 2 * key;
  if (config.output_bias) layer += hidden;
  if (config.mlp_bias) layer += 2 * inner + hidden;
  if (config.query_key_norm) layer += 2 * head;
  if (config.post_norms) layer += 2 * hidden;
  const int64_t embedding = int64_t{config.vocabulary_size} * hidden;
  return embedding * (config.tied_embeddings ? 1 : 2) + config.num_layers * layer + hidden;
}

}  // namespace toolkit::models

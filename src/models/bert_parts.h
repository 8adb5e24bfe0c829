#pragma once

#include <optional>
#include <vector>

#include "core/nn/layer_norm.h"
#include "core/nn/linear.h"
#include "core/nn/visit.h"
#include "models/bert.h"

namespace toolkit::models {

/// One layer, its members named as Hugging Face names them.
struct BertLayer {
  nn::Linear query, key, value, attention_output, intermediate, output;
  nn::LayerNorm attention_norm, output_norm;

  template <class V>
  void visit(V& v) {
    v("attention.self.query", query);
    v("attention.self.key", key);
    v("attention.self.value", value);
    v("attention.output.dense", attention_output);
    v("attention.output.LayerNorm", attention_norm);
    v("intermediate.dense", intermediate);
    v("output.dense", output);
    v("output.LayerNorm", output_norm);
  }
};

struct BertEncoder::Parts {
  BertConfig config;
  nn::Embedding words, positions, types;
  nn::LayerNorm embedding_norm;
  std::vector<BertLayer> layers;

  template <class V>
  void visit(V& v) {
    v("embeddings.word_embeddings", words);
    v("embeddings.position_embeddings", positions);
    v("embeddings.token_type_embeddings", types);
    v("embeddings.LayerNorm", embedding_norm);
    v("encoder.layer", layers);
  }
};

}  // namespace toolkit::models

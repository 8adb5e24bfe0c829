#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/nn/linear.h"
#include "models/decoder.h"
#include "models/decoder_block.h"

namespace toolkit::models {

/// What a Decoder holds. A header of its own because loading fills it.
struct Decoder::Parts {
  explicit Parts(DecoderConfig c);

  DecoderConfig config;
  nn::Embedding embed_tokens;
  std::vector<DecoderBlock> layers;
  mx::array norm;                      // (C)
  nn::Linear lm_head;                  // shares the embedding's memory when tied
  std::vector<mx::array> frequencies;  // of each config.ropes
  std::set<std::string> trained;       // see Decoder::set_trained

  /// The tied head is not visited: it has no tensor of its own.
  template <class V>
  void visit(V& v) {
    v("model.embed_tokens", embed_tokens), v("model.layers", layers), v("model.norm", norm);
    if (!config.tied_embeddings) v("lm_head", lm_head);
  }
};

}  // namespace toolkit::models

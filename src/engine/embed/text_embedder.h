#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/tensor/backend.h"
#include "engine/language_model.h"

namespace toolkit::engine {

struct TextEmbedding {
  std::vector<float> values;  // dimensions() of them
  int tokens = 0;             // computed, special ones included
  bool truncated = false;     // the text had more
};

/// A model that makes vectors of texts: an encoder of the BERT family, as sentence-transformers
/// computes it, or any language model with the mean of its tokens, of length 1. One caller at a
/// time.
class TextEmbedder {
 public:
  virtual ~TextEmbedder() = default;

  /// One vector a text, in order. Texts are cut at max_tokens(), the closing special tokens kept.
  /// Throws Error(kUserInput) naming a text that is no UTF-8 or has no token.
  virtual std::vector<TextEmbedding> embed(std::span<const std::string> texts) const = 0;
  virtual int dimensions() const = 0;
  virtual int max_tokens() const = 0;
};

/// Whether a name is a model's that only makes embeddings (its config.json says an encoder). Throws
/// as resolve_model does.
bool is_text_encoder(const std::string& name);

/// Resolves, opens, checks and loads. `compute` is of the linear layers.
std::unique_ptr<TextEmbedder> load_text_embedder(
    const std::string& name, tensor::Compute compute = tensor::Compute::kFloat32);

/// The same of a language model that is loaded already and belongs to another thread: `turn` does
/// one pass over it there (a few hundred tokens) and waits for it. `model` must outlive it.
std::unique_ptr<TextEmbedder> make_text_embedder(
    const LanguageModel& model, std::function<void(const std::function<void()>&)> turn);

}  // namespace toolkit::engine

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/data/packing.h"
#include "mlx/array.h"
#include "models/decoder.h"

namespace toolkit::engine {

/// What makes training harder on purpose, so that less is learned by heart. Every random number is
/// decided by the seed, the draw (which batch of the run) and its place: a resumed or recomputed
/// step draws the same. Rows that share a prefix compute it once, so one draw serves all samples of
/// a row there; each still sees noise of the stated distribution.
struct Regularization {
  float dropout = 0.0f;          // of the input of every LoRA branch, [0, 1)
  float neftune_alpha = 0.0f;    // see embedding_noise; 0: none
  float label_smoothing = 0.0f;  // share of the target spread over the vocabulary, [0, 1)
  uint64_t seed = 0;
};

/// Switches dropout of the model's branches on while it lives, each layer with a key of its own.
class BranchDropout {
 public:
  BranchDropout(models::Decoder& model, const Regularization& regularization, int64_t draw);
  ~BranchDropout();
  BranchDropout(const BranchDropout&) = delete;
  BranchDropout& operator=(const BranchDropout&) = delete;

 private:
  std::vector<nn::Linear*> layers_;
};

/// Noise for the embeddings of a batch (rows, length, `width`): uniform in +-alpha / sqrt(L width),
/// L being the length of the token's own sample; nothing where alpha is 0. (NEFTune, Jain et al.
/// 2023, arXiv:2310.05914)
std::optional<mx::array> embedding_noise(const data::PackedBatch& batch, int width,
                                         const Regularization& regularization, int64_t draw);

}  // namespace toolkit::engine

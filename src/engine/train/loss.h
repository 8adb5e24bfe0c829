#pragma once

#include "core/data/packing.h"
#include "engine/train/regularization.h"
#include "models/decoder.h"

namespace toolkit::engine {

struct LossOptions {
  bool checkpoint_layers = false;  // see models::ForwardOptions
  Regularization regularization;   // of a training step; a measured loss has none
  int64_t draw = 0;                // which random numbers: of every batch of a run, another one
};

/// Cross-entropies of a batch's supervised tokens, in the order of batch.predictors: (supervised)
/// f32. Only hidden states that predict a supervised token reach the head, a chunk at a time. The
/// batch must have some.
mx::array token_losses(models::Decoder& model, const data::PackedBatch& batch,
                       const LossOptions& options = {});

/// Their sum, () f32; 0 for a batch without supervised tokens.
mx::array loss_sum(models::Decoder& model, const data::PackedBatch& batch,
                   const LossOptions& options = {});

}  // namespace toolkit::engine

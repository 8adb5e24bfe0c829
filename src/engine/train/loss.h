#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "core/data/packing.h"
#include "engine/train/batches.h"
#include "engine/train/regularization.h"
#include "engine/train/trainable_parameters.h"
#include "models/decoder.h"

namespace toolkit::engine {

struct LossOptions {
  bool checkpoint_layers = false;  // see models::ForwardOptions
  Regularization regularization;   // of a training step; a measured loss has none
  int64_t draw = 0;                // which random numbers: of every batch of a run, another one
};

/// Sum of the cross-entropies of a batch's supervised tokens, () f32. Only hidden states that
/// predict a supervised token reach the head.
mx::array loss_sum(models::Decoder& model, const data::PackedBatch& batch,
                   const LossOptions& options = {});

/// The same with its gradients with respect to `parameters`, all lazy.
std::pair<mx::array, std::vector<mx::array>> loss_and_gradients(models::Decoder& model,
                                                                TrainableParameters& parameters,
                                                                const data::PackedBatch& batch,
                                                                const LossOptions& options = {});

struct MeasuredLoss {
  double sum = 0;      // nats
  int64_t tokens = 0;  // supervised
  bool complete = true;
  double mean() const { return tokens > 0 ? sum / static_cast<double>(tokens) : 0.0; }
};

/// One of `of` parts of a data set: its batches `index`, `index + of`, ...
struct Share {
  int index = 0, of = 1;
};

/// Loss over all batches of one epoch (or a share of them), without gradients: exact, every
/// supervised token once. `progress` (done, total) is called before each batch and may return false
/// to stop early.
MeasuredLoss measure_loss(models::Decoder& model, const Batches& batches,
                          const std::function<bool(int, int)>& progress = {}, Share share = {});

}  // namespace toolkit::engine

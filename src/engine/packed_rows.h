#pragma once

#include "core/data/packing.h"
#include "models/decoder.h"

namespace toolkit::engine {

/// Runs a model over packed rows and returns the hidden states that predict a supervised token, in
/// the order of batch.predictors: (supervised, C). Only they need to reach the head. The batch must
/// have some.
mx::array predicting_states(const models::Decoder& model, const data::PackedBatch& batch,
                            bool checkpoint_layers = false,
                            const mx::array* embedding_noise = nullptr);

}  // namespace toolkit::engine

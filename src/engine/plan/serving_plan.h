#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/checkpoint/weight_form.h"
#include "core/tensor/backend.h"
#include "models/decoder.h"

namespace toolkit::engine {

/// What a model that answers holds in memory (engine/batch), in bytes.
struct ServingPlan {
  int64_t tokenizer = 0;
  int64_t weights = 0;   // as they lie in memory, with the copies that `compute` keeps
  int64_t arranged = 0;  // packed ones again; see BatchOptions::arrange_weights
  int64_t cache = 0;     // keys and values, when it is full

  /// Without the weights' second copy, which the engine can do without.
  int64_t least() const { return tokenizer + weights + cache; }
  int64_t total() const { return least() + arranged; }
};

/// Told from headers: no weight is read. `blank` has the model's shapes, `stored` how its weights
/// lie in the files (models::stored_forms). Within 15 % of what was measured on Linux
/// (tests/serve/memory.py measures again).
ServingPlan plan_serving(models::Decoder& blank,
                         const std::map<std::string, checkpoint::WeightForm>& stored,
                         tensor::Compute compute, int64_t cache_bytes);

}  // namespace toolkit::engine

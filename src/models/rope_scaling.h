#pragma once

#include <string>

#include "core/base/json.h"
#include "models/decoder.h"

namespace toolkit::models {

/// Where a rotation is read from and the model it belongs to.
struct RopeContext {
  int head_dim = 0;
  int max_positions = 0;
  std::string source;  // for messages
};

/// Angles per position of each pair, from Hugging Face's `rope_parameters` (or `rope_scaling` with
/// `rope_theta` put in): types default, linear, llama3, yarn (Peng et al. 2023, arXiv:2309.00071)
/// and dynamic, which equals the unscaled rotation up to `max_position_embeddings`, the longest
/// text the engine takes. Throws Error(kUnsupported) for another type, Error(kUserInput) for a bad
/// value.
DecoderConfig::Rope rope_from_parameters(const Json& parameters, const RopeContext& context);

}  // namespace toolkit::models

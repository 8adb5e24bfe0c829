#pragma once

#include <vector>

#include "core/tensor/decode_layer.h"
#include "models/decoder_parts.h"

namespace toolkit::models {

/// Where the weights of a decoder's layers lie, for the kernels outside MLX's graph. Empty if they
/// cannot run them.
std::vector<tensor::DecodeLayer> layer_views(const Decoder::Parts& parts);

tensor::DecodeSettings decode_settings(const DecoderConfig& config);

}  // namespace toolkit::models

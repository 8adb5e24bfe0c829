#pragma once

#include <cstdint>

#include "models/decoder.h"

namespace toolkit::models {

/// Parameters of a model of this shape, told without loading it.
int64_t parameter_count(const DecoderConfig& config);

}  // namespace toolkit::models

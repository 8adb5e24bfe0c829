#pragma once

#include <map>
#include <string>

#include "core/tensor/backend.h"

namespace toolkit::engine {

/// "f32", "bf16" or "int8" as they are. "auto": the fastest on this machine of those it knows,
/// measured once with a linear layer of usual shape and remembered in `compute.json` of the
/// toolkit's home folder. int8 must be clearly faster to be taken, since it is not exact.
tensor::Compute choose_compute(const std::string& name);

/// What `auto` compares: multiply-adds per second of a frozen linear layer (512 tokens, 1024 x
/// 1024), forward and input gradient, by name of the arithmetic.
std::map<std::string, double> measure_compute();

}  // namespace toolkit::engine

#pragma once

#include <string>

#include "core/tensor/backend.h"
#include "engine/measure/machine_rates.h"

namespace toolkit::engine {

/// "f32", "bf16" or "int8" as they are. "auto": the fastest on this machine, by machine_rates().
tensor::Compute choose_compute(const std::string& name);

/// The arithmetic with the best linear layer. int8 must be clearly faster to be taken, since it is
/// not exact.
tensor::Compute fastest_compute(const MachineRates& rates);

}  // namespace toolkit::engine

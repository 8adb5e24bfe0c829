#pragma once

#include <string>
#include <vector>

#include "projects/compare/comparison.h"

namespace toolkit::compare {

/// Self-contained SVGs of what was measured: validation loss with intervals, loss over time, memory
/// and time with their limits, and the training losses as they fell. Those with nothing to show are
/// left out.
std::vector<std::string> plots(const Comparison& comparison);

}  // namespace toolkit::compare

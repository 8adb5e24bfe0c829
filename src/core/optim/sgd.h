#pragma once

#include <memory>

#include "core/optim/optimizer.h"

namespace toolkit::optim {

/// Stochastic gradient descent with momentum and Nesterov's form, weight decay as part of the
/// gradient (as torch.optim.SGD). Default: no momentum. State: "m.<i>" with momentum, else none.
std::unique_ptr<Optimizer> make_sgd(const OptimizerSettings& settings);

}  // namespace toolkit::optim

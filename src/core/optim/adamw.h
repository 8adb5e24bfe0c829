#pragma once

#include <memory>

#include "core/optim/optimizer.h"

namespace toolkit::optim {

/// AdamW with bias correction and decoupled weight decay (Loshchilov & Hutter 2017,
/// arXiv:1711.05101). State: first moments "m.<i>" and second moments "v.<i>".
std::unique_ptr<Optimizer> make_adamw(const OptimizerSettings& settings);

}  // namespace toolkit::optim

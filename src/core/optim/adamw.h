#pragma once

#include <memory>

#include "core/optim/optimizer.h"
#include "core/tensor/optimizer_update.h"

namespace toolkit::optim {

/// AdamW with bias correction and decoupled weight decay (Loshchilov & Hutter 2017,
/// arXiv:1711.05101). Defaults beta 0.9 and 0.999, eps 1e-8. State: first moments "m.<i>" and
/// second moments "v.<i>".
std::unique_ptr<Optimizer> make_adamw(const OptimizerSettings& settings);

/// The same with the first moment in 8 bits: 5.06 bytes of state for a parameter instead of 8.
/// State: codes "q.<i>", their scales "s.<i>" and second moments "v.<i>". See
/// tensor::Adamw8bitRule.
std::unique_ptr<Optimizer> make_adamw_8bit(const OptimizerSettings& settings);

/// AdamW's rule at step 1, 2, ... under these settings.
tensor::AdamwRule adamw_rule(const OptimizerSettings& settings, int step);

}  // namespace toolkit::optim

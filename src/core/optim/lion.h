#pragma once

#include <memory>

#include "core/optim/optimizer.h"

namespace toolkit::optim {

/// Lion: the sign of an average of gradients (Chen et al. 2023, arXiv:2302.06675). Wants a third to
/// a tenth of AdamW's learning rate. Defaults beta 0.9 and 0.99. State: "m.<i>".
std::unique_ptr<Optimizer> make_lion(const OptimizerSettings& settings);

}  // namespace toolkit::optim

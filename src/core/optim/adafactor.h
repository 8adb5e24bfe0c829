#pragma once

#include <memory>

#include "core/optim/optimizer.h"

namespace toolkit::optim {

/// Adafactor: the second moment of a matrix as one number per row and one per column, the update's
/// root mean square clipped to 1 (Shazeer & Stern 2018, arXiv:1804.04235), as in transformers'
/// Adafactor with eps (1e-30, 1e-3) and decay rate -0.8. beta1 below 0 (the default) leaves out the
/// first moment. `relative_step` takes min(1e-2, 1 / sqrt(step)) for the learning rate and
/// `scale_parameter` multiplies it by the parameter's root mean square; both are off by default.
/// State: "r.<i>" and "c.<i>" of matrices, "v.<i>" of vectors, "m.<i>" with beta1.
std::unique_ptr<Optimizer> make_adafactor(const OptimizerSettings& settings);

}  // namespace toolkit::optim

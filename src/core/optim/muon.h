#pragma once

#include <memory>

#include "core/optim/optimizer.h"

namespace toolkit::optim {

/// Muon: the momentum of a matrix made nearly orthogonal by five Newton-Schulz steps (Jordan et al.
/// 2024, coefficients 3.4445, -4.7750, 2.0315), scaled by 0.2 sqrt(max(rows, columns)) so that
/// AdamW's learning rates and weight decay serve (Liu et al. 2025, arXiv:2502.16982). Momentum 0.95
/// by default, as an average, Nesterov's form always. Vectors, and parameters whose rule says so
/// (embeddings), take AdamW. State: "m.<i>", and "v.<i>" where it is AdamW.
std::unique_ptr<Optimizer> make_muon(const OptimizerSettings& settings);

}  // namespace toolkit::optim

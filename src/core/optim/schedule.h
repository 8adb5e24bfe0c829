#pragma once

#include <string>

namespace toolkit::optim {

enum class Decay { kConstant, kLinear, kCosine, kWsd };

/// "constant" | "linear" | "cosine" | "wsd"; throws Error(kUserInput).
Decay decay_from_name(const std::string& name);
const char* decay_name(Decay decay);

/// Learning rate over a run, counted in optimizer steps: a linear rise over the warm-up steps, then
/// the decay over what is left. WSD (warm-up, stable, decay) stays at the peak and falls linearly
/// over the last `decay_share` of all steps. (Cosine: Loshchilov & Hutter 2016, arXiv:1608.03983;
/// WSD: Hu et al. 2024, arXiv:2404.06395)
struct Schedule {
  Decay decay = Decay::kCosine;
  double peak = 2e-4;
  int warmup_steps = 0;
  int total_steps = 1;
  double final_share = 0.0;  // of the peak, reached at the last step
  double decay_share = 0.1;  // of all steps; WSD only

  /// Rate of step 1, 2, ... total_steps. Step 1 of a warm-up is peak / warmup_steps, never 0.
  double rate(int step) const;
};

}  // namespace toolkit::optim

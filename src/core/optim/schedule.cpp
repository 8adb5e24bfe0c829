#include "core/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/base/error.h"

namespace toolkit::optim {

Decay decay_from_name(const std::string& name) {
  for (Decay decay : {Decay::kConstant, Decay::kLinear, Decay::kCosine, Decay::kWsd})
    if (name == decay_name(decay)) return decay;
  fail(ErrorKind::kUserInput, "schedule must be constant, linear, cosine or wsd, not '{}'", name);
}

const char* decay_name(Decay decay) {
  switch (decay) {
    case Decay::kConstant:
      return "constant";
    case Decay::kLinear:
      return "linear";
    case Decay::kCosine:
      return "cosine";
    case Decay::kWsd:
      return "wsd";
  }
  return "constant";
}

double Schedule::rate(int step) const {
  if (total_steps == 1) return peak;  // its last step would be one that learns nothing
  if (step <= warmup_steps) return peak * std::max(step, 1) / warmup_steps;
  double decaying = std::max(1, total_steps - warmup_steps);
  if (decay == Decay::kWsd) decaying = std::min(decaying, std::max(1.0, decay_share * total_steps));
  const double done = std::clamp(1.0 - (total_steps - step) / decaying, 0.0, 1.0);
  double share = 1.0;
  if (decay == Decay::kLinear || decay == Decay::kWsd) share = 1.0 - done;
  if (decay == Decay::kCosine) share = 0.5 * (1.0 + std::cos(std::numbers::pi * done));
  return peak * (final_share + (1.0 - final_share) * share);
}

}  // namespace toolkit::optim

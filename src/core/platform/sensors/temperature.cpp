#include <cmath>

#include "core/platform/sensors/sensors.h"

namespace toolkit::platform {

bool is_plausible_temperature(double celsius) {
  return std::isfinite(celsius) && celsius > 0 && celsius <= 150;
}

std::optional<double> mean_temperature(const std::vector<double>& celsius) {
  double sum = 0;
  int count = 0;
  for (const double value : celsius) {
    if (!is_plausible_temperature(value)) continue;
    sum += value;
    ++count;
  }
  if (count == 0) return std::nullopt;
  return sum / count;
}

}  // namespace toolkit::platform

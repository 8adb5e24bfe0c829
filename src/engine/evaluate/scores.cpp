#include "engine/evaluate/scores.h"

#include <cmath>
#include <vector>

#include "core/base/error.h"

namespace toolkit::engine {

Score mean_score(std::span<const double> values) {
  Score score;
  if (values.empty()) return score;
  const auto count = static_cast<double>(values.size());
  for (const double value : values) score.value += value / count;
  if (values.size() < 2) return score;
  double squares = 0.0;
  for (const double value : values) squares += (value - score.value) * (value - score.value);
  score.error = std::sqrt(squares / (count - 1) / count);
  return score;
}

Score mean_gain(std::span<const double> before, std::span<const double> after) {
  if (before.size() != after.size())
    fail(ErrorKind::kInternal, "mean_gain: {} and {} answers are not of the same questions",
         before.size(), after.size());
  std::vector<double> gains(before.size());
  for (size_t i = 0; i < gains.size(); ++i) gains[i] = after[i] - before[i];
  return mean_score(gains);
}

Estimate interval_of(const Score& score) {
  const double half = kTwoSided95 * score.error;
  return {.value = score.value, .low = score.value - half, .high = score.value + half};
}

int clear_sign(const Score& score) {
  if (std::abs(score.value) <= kTwoSided95 * score.error) return 0;
  return score.value > 0 ? 1 : score.value < 0 ? -1 : 0;
}

}  // namespace toolkit::engine

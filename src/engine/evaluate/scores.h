#pragma once

#include <span>

#include "engine/evaluate/evaluate.h"

namespace toolkit::engine {

/// A mean over questions with its standard error, s / sqrt(n) with s from n - 1: what
/// lm-evaluation-harness prints as `stderr`.
struct Score {
  double value = 0.0, error = 0.0;
};

/// Of no values: 0 with error 0; of one: no error can be told, 0.
Score mean_score(std::span<const double> values);

/// Mean of after[i] - before[i] with its error: pairing takes out what makes questions easy or
/// hard. Throws Error(kInternal) if they are not as many.
Score mean_gain(std::span<const double> before, std::span<const double> after);

/// The score with its interval of 95 %.
Estimate interval_of(const Score& score);

/// Whether the interval of 95 % around the score leaves 0 out: 1 above it, -1 below it, else 0.
int clear_sign(const Score& score);

}  // namespace toolkit::engine

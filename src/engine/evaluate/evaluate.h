#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/data/sample_set.h"
#include "models/decoder.h"

namespace toolkit::engine {

/// Cross-entropy of one row's supervised tokens.
struct RowLoss {
  double sum = 0.0;  // nats
  int tokens = 0;    // supervised
};

struct EvaluateOptions {
  int batch_tokens = 1024;                                    // tokens of one packed row
  tensor::Compute compute = tensor::Compute::kFloat32;        // of the head
  std::function<bool(int64_t done, int64_t total)> progress;  // rows; false stops
};

/// The loss of every row, each supervised token once, rows packed together. Stops early, with the
/// rest at zero tokens, when `progress` says so.
std::vector<RowLoss> row_losses(const models::Decoder& model, const data::SampleSet& samples,
                                const EvaluateOptions& options);

/// Standard errors to each side of a mean that make its interval of 95 %.
constexpr double kTwoSided95 = 1.959964;

/// A mean with the interval that holds the mean of all such rows in 95 of 100 cases.
struct Estimate {
  double value = 0.0, low = 0.0, high = 0.0;
};

/// Loss per token over all rows: a ratio of sums, its interval from how rows differ (rows, not
/// tokens, are independent; Cochran 1977, Sampling Techniques, 6.4).
Estimate mean_loss(std::span<const RowLoss> rows);

/// By how much the loss per token of `after` is below that of `before`, on the same rows: pairing
/// takes out what makes rows easy or hard. Throws Error(kInternal) if they are not the same rows.
Estimate loss_reduction(std::span<const RowLoss> before, std::span<const RowLoss> after);

Estimate perplexity(const Estimate& loss);

}  // namespace toolkit::engine

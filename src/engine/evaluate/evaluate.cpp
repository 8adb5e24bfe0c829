#include "engine/evaluate/evaluate.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/data/packing.h"
#include "core/tensor/cross_entropy.h"
#include "engine/packed_rows.h"

namespace toolkit::engine {

namespace {

/// One packed row's losses, added to the rows they belong to. `members` are indices into `rows`.
void add_losses(const models::Decoder& model, const data::PackedBatch& batch,
                const std::vector<int>& members, const EvaluateOptions& options,
                std::vector<RowLoss>& rows) {
  const int count = static_cast<int>(batch.predictors.size());
  if (count == 0) return;
  mx::array losses =
      tensor::linear_cross_entropy(predicting_states(model, batch), model.head(),
                                   mx::array(batch.targets.data(), {count}, mx::int32),
                                   {.softcap = model.config().logit_softcap}, options.compute);
  losses.eval();
  const float* loss = losses.data<float>();
  for (int i = 0; i < count; ++i) {
    const int segment =
        batch.segments[static_cast<size_t>(batch.predictors[static_cast<size_t>(i)])];
    RowLoss& row = rows[static_cast<size_t>(members[static_cast<size_t>(segment)])];
    row.sum += loss[i];
    ++row.tokens;
  }
}

/// Interval of sum(value) / sum(tokens) from the rows' deviations around it.
template <class Value>
Estimate ratio_estimate(size_t count, const Value& value, std::span<const RowLoss> rows) {
  double sum = 0.0, tokens = 0.0;
  int64_t used = 0;
  for (size_t i = 0; i < count; ++i) {
    sum += value(i);
    tokens += rows[i].tokens;
    used += rows[i].tokens > 0;
  }
  if (tokens == 0.0) return {};
  Estimate estimate{.value = sum / tokens};
  double squares = 0.0;
  for (size_t i = 0; i < count; ++i) {
    const double deviation = value(i) - estimate.value * rows[i].tokens;
    squares += deviation * deviation;
  }
  const double factor = used > 1 ? static_cast<double>(used) / static_cast<double>(used - 1) : 0.0;
  const double half = kTwoSided95 * std::sqrt(factor * squares) / tokens;
  estimate.low = estimate.value - half;
  estimate.high = estimate.value + half;
  return estimate;
}

}  // namespace

std::vector<RowLoss> row_losses(const models::Decoder& model, const data::SampleSet& samples,
                                const EvaluateOptions& options) {
  const int prefix = data::shared_prefix(samples);
  std::vector<int> own;  // tokens of each sample after the shared ones
  int longest = 1;
  for (const data::SampleView& sample : samples) {
    own.push_back(sample.size() - prefix);
    longest = std::max(longest, prefix + own.back());
  }
  std::vector<RowLoss> rows(samples.size());
  const int length = std::max(longest, options.batch_tokens);
  int64_t done = 0;
  for (const std::vector<int>& members : data::pack_best_fit(own, length - prefix)) {
    if (options.progress && !options.progress(done, static_cast<int64_t>(samples.size()))) break;
    int used =
        prefix;  // a row is cut to what stands in it: nothing is gained by a fixed shape here
    for (const int index : members) used += own[static_cast<size_t>(index)];
    add_losses(model, data::make_batch(samples, {&members, 1}, used, prefix), members, options,
               rows);
    done += static_cast<int64_t>(members.size());
  }
  return rows;
}

Estimate mean_loss(std::span<const RowLoss> rows) {
  return ratio_estimate(rows.size(), [&](size_t i) { return rows[i].sum; }, rows);
}

Estimate loss_reduction(std::span<const RowLoss> before, std::span<const RowLoss> after) {
  const bool same =
      before.size() == after.size() &&
      std::equal(before.begin(), before.end(), after.begin(),
                 [](const RowLoss& a, const RowLoss& b) { return a.tokens == b.tokens; });
  if (!same)
    fail(ErrorKind::kInternal, "loss_reduction: the two evaluations are not of the same rows");
  return ratio_estimate(
      before.size(), [&](size_t i) { return before[i].sum - after[i].sum; }, before);
}

Estimate perplexity(const Estimate& loss) {
  return {.value = std::exp(loss.value), .low = std::exp(loss.low), .high = std::exp(loss.high)};
}

}  // namespace toolkit::engine

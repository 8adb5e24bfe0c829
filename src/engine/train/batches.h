#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/data/packing.h"
#include "core/data/sample_set.h"

namespace toolkit::engine {

/// The one shape every batch of a run has: rows x length tokens, padding included. What all samples
/// begin with, `prefix` tokens, stands in each row once. Samples k * group, ..., k * group + group
/// - 1 of the set stay side by side in a row: 2 for the two answers to a prompt.
struct BatchShape {
  int rows = 1;
  int length = 0;
  int prefix = 0;
  int group = 1;
  int64_t tokens() const { return int64_t{rows} * length; }
};

/// A shape of about `batch_tokens` in which every sample fits: one long row up to 1024 tokens, more
/// rows of at least 1024 above. With `share_prefix`, rows are as short as what the samples share
/// (data::shared_prefix) allows while an epoch has no more of them: a step still sees about
/// `batch_tokens` tokens, each sample counted whole, and computes fewer.
BatchShape choose_batch_shape(const data::SampleSet& samples, int batch_tokens,
                              bool share_prefix = false, int group = 1);

/// The batches [begin, end) of an endless run over the epochs whose gradients make one step.
struct StepBatches {
  int64_t begin, end;
};

/// Steps of an epoch of `per_epoch` batches: the last one takes what is left.
int64_t steps_per_epoch(int per_epoch, int batches_per_step);
/// Of step 0, 1, ...
StepBatches batches_of_step(int64_t step, int per_epoch, int batches_per_step);

/// Packed batches of a data set, the same for the same seed on every machine. With shuffling each
/// epoch packs the samples anew, in another order; every sample stands in exactly one batch of it.
class Batches {
 public:
  /// Throws Error(kInternal) for no samples, or groups that are not complete.
  Batches(data::SampleSet samples, BatchShape shape, bool shuffled, uint64_t seed = 0);

  int per_epoch() const { return per_epoch_; }
  /// Batch `step` (0, 1, ...) of an endless run over the epochs. It ends with its fullest row:
  /// places that no row uses would be computed for nothing.
  data::PackedBatch at(int64_t step) const;

  BatchShape shape() const { return shape_; }
  int64_t tokens() const;                     // real tokens of one epoch, each sample counted whole
  int64_t supervised_tokens() const;          // of one epoch
  int64_t places() const { return places_; }  // computed in the first epoch, padding included
  double filled_share() const;                // places that hold a token / all of them
  /// SHA-256 of the first epoch's batches, in hexadecimal digits.
  std::string digest() const;
  const data::SampleSet& samples() const { return samples_; }

 private:
  std::vector<std::vector<int>> pack_epoch(int64_t epoch) const;
  std::span<const std::vector<int>> rows_of(int64_t step) const;
  int fullest(std::span<const std::vector<int>> rows) const;

  data::SampleSet samples_;
  BatchShape shape_;
  bool shuffled_;
  uint64_t seed_;
  int rows_per_epoch_ = 0, per_epoch_ = 0;
  int64_t places_ = 0;
  mutable int64_t packed_epoch_ = -1;
  mutable std::vector<std::vector<int>> rows_;  // of packed_epoch_
};

}  // namespace toolkit::engine

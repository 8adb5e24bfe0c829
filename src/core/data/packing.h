#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/data/sample_set.h"

namespace toolkit::data {

/// Which samples share a row: best-fit decreasing over `row_length`; each inner list holds indices.
/// O(n log n). A sample longer than row_length is an Error(kInternal): truncate first.
std::vector<std::vector<int>> pack_best_fit(std::span<const int> lengths, int row_length);

/// How many tokens all samples begin with, so far as no supervised token is predicted there: what
/// rows may hold once for all their samples. 0 where that is too little to gain by it.
int shared_prefix(const SampleSet& samples);

/// A fixed-shape batch of packed rows: what one training step sees. The first sample of a row
/// stands there whole; of the others their first `prefix` tokens are left out, being the same.
struct PackedBatch {
  int rows = 0, length = 0, prefix = 0;
  std::vector<int32_t> ids;         // (rows, length), 0 where padded
  std::vector<int32_t> segments;    // (rows, length): 0, 1, 2 ... per row; -1 where padded
  std::vector<int32_t> positions;   // (rows, length): of each token in its sample
  std::vector<int32_t> predictors;  // flat positions whose next token is supervised
  std::vector<int32_t> targets;     // that next token, same length as predictors
  int tokens = 0;                   // real tokens, each sample counted whole, without padding
  std::vector<int32_t> samples;     // indices of the samples in their set, row by row
  std::vector<int32_t> owners;      // of each predictor: whose it is, as an index into `samples`
};

/// Throws Error(kInternal) if a row does not fit or samples do not share their first `prefix`
/// tokens.
PackedBatch make_batch(const SampleSet& samples, std::span<const std::vector<int>> rows,
                       int row_length, int prefix = 0);

}  // namespace toolkit::data

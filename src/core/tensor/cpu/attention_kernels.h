#pragma once

#include <cstdint>

#include "core/tensor/cpu/attention_plan.h"

namespace toolkit::tensor::cpu {

/// Keys of a run lie in panels of this many: transposed (width rows of kKeyPanel floats) where they
/// are multiplied from the right by rows of queries.
inline constexpr int64_t kKeyPanel = 64;
inline constexpr int64_t kQueryBlock = 48;

inline int64_t padded_keys(int64_t keys) {
  return (keys + kKeyPanel - 1) / kKeyPanel * kKeyPanel;
}

/// Copies `rows` rows of `width` floats, `stride` apart, to rows of `padded` floats (zeros after
/// the row).
void pack_rows(const float* from, int64_t stride, int64_t rows, int64_t width, int64_t padded,
               float* to);

/// The same rows as transposed panels: padded_keys(rows) / kKeyPanel times (padded, kKeyPanel).
void pack_panels(const float* from, int64_t stride, int64_t rows, int64_t width, int64_t padded,
                 float* to);

/// Forward pass of `count` (<= kQueryBlock) queries of one head, from query `begin` of the run.
struct AttentionForwardTask {
  const AttentionShape* shape;
  const AttentionRun* run;
  int64_t begin, count;
  const float* queries;     // packed rows of these queries
  const float* key_panels;  // whole run
  const float* values;      // whole run, packed rows
  float* out;               // row of the first of these queries
  int64_t out_stride;
  float* logsumexp;  // of the first query
  int64_t logsumexp_stride;
  float* scratch;  // attention_forward_scratch() floats
};
int64_t attention_forward_scratch(const AttentionShape& shape);
void attention_forward(const AttentionForwardTask& task);

/// Backward pass of one head over one run. All rows are packed (padded width); gradients are added
/// to.
struct AttentionBackwardTask {
  const AttentionShape* shape;
  const AttentionRun* run;
  const float *queries, *dout, *keys, *key_panels, *value_panels;
  const float *logsumexp, *delta;  // one per query; delta = sum over the width of dout * out
  float *dqueries, *dkeys, *dvalues;
  float* scratch;  // attention_backward_scratch() floats
};
int64_t attention_backward_scratch();
void attention_backward(const AttentionBackwardTask& task);

/// Sum over `width` of a * b.
float dot(const float* a, const float* b, int64_t width);

}  // namespace toolkit::tensor::cpu

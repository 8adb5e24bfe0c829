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

/// Rows of padded width, `stride` floats apart.
struct Rows {
  const float* data;
  int64_t stride;
  const float* at(int64_t row) const { return data + row * stride; }
};
struct SumRows {
  float* data;
  int64_t stride;
  float* at(int64_t row) const { return data + row * stride; }
};

/// Forward pass of `count` (<= kQueryBlock) queries of one head, from query `begin` of the run.
struct AttentionForwardTask {
  const AttentionShape* shape;
  const AttentionRun* run;
  int64_t begin, count;
  Rows queries;             // from the first of these queries
  const float* key_panels;  // whole run
  Rows values;              // whole run
  float* out;               // row of the first of these queries; padded width
  int64_t out_stride;
  float* logsumexp;  // of the first query
  int64_t logsumexp_stride;
  float* scratch;  // attention_forward_scratch() floats
};
int64_t attention_forward_scratch();
void attention_forward(const AttentionForwardTask& task);

/// Backward pass of one head over one run. All rows are packed (padded width); gradients are added
/// to.
struct AttentionBackwardTask {
  const AttentionShape* shape;
  const AttentionRun* run;
  Rows queries, dout, keys;
  const float *key_panels, *value_panels;
  const float *logsumexp, *delta;  // one per query; delta = sum over the width of dout * out
  SumRows dqueries, dkeys, dvalues;
  float* scratch;  // attention_backward_scratch() floats
};
int64_t attention_backward_scratch();
void attention_backward(const AttentionBackwardTask& task);

/// out[i] = sum over `width` of a[i] * b[i], for rows `a_stride` and `b_stride` apart.
void row_dots(const float* a, int64_t a_stride, const float* b, int64_t b_stride, int64_t rows,
              int64_t width, float* out);

}  // namespace toolkit::tensor::cpu

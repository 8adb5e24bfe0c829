#pragma once

#include <cstdint>

#include "core/tensor/cpu/attention_pass.h"

namespace toolkit::tensor::cpu {

/// Queries so few that reading the keys and values once is all that counts.
inline constexpr int64_t kFewQueries = 8;

/// Attention of one query of `heads` heads over the keys [first, last) of one batch row: nothing is
/// copied or transposed, keys are shared out to all threads. `k` and `v` point at key 0.
/// `logsumexp` (heads, `logsumexp_stride` apart) may be null.
void attention_one_query(const AttentionShape& shape, const float* q, const float* k,
                         int64_t k_stride, const float* v, int64_t v_stride, int64_t first,
                         int64_t last, float* out, float* logsumexp, int64_t logsumexp_stride);

}  // namespace toolkit::tensor::cpu

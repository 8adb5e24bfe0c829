#pragma once

#include <cstdint>

#include "core/tensor/cpu/attention_plan.h"

namespace toolkit::tensor::cpu {

/// A (B, T or S, H, D) tensor whose heads lie side by side; tokens and batch rows may be apart.
template <class T>
struct TokenRows {
  T* data;
  int64_t tokens, batch_stride, token_stride;  // strides in floats

  /// Pointer to token number row % tokens of batch row row / tokens.
  T* at(int64_t row) const {
    return data + row / tokens * batch_stride + row % tokens * token_stride;
  }
};
using ConstRows = TokenRows<const float>;
using MutableRows = TokenRows<float>;

/// Attention on all threads. `logsumexp` (B, H, T) is kept for backward.
void attention_forward_pass(const AttentionShape& shape, const AttentionPacking& packing,
                            ConstRows q, ConstRows k, ConstRows v, MutableRows out,
                            float* logsumexp);

/// Writes the gradients of q, k and v.
void attention_backward_pass(const AttentionShape& shape, const AttentionPacking& packing,
                             ConstRows q, ConstRows k, ConstRows v, ConstRows out, ConstRows dout,
                             const float* logsumexp, MutableRows dq, MutableRows dk,
                             MutableRows dv);

}  // namespace toolkit::tensor::cpu

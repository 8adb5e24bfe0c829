#pragma once

#include "core/tensor/array_fwd.h"
#include "core/tensor/linear.h"

namespace toolkit::tensor {

struct CrossEntropyOptions {
  float softcap = 0.0f;          // of the logits (Gemma 2); 0: none
  float logit_scale = 1.0f;      // multiplies the logits
  float label_smoothing = 0.0f;  // share of the target spread over the vocabulary
  int chunk_tokens = 256;        // logits are made for this many tokens at a time, never for all
};

/// Cross-entropy of the head's logits without ever holding (N, V).
///   hidden   (N, C) rows of supervised tokens only
///   head     (V, C)
///   targets  (N) int32 in [0, V)
///   returns  (N) f32 losses. Differentiable in hidden, and in a dense head.
mx::array linear_cross_entropy(const mx::array& hidden, const LinearTerms& head,
                               const mx::array& targets, const CrossEntropyOptions& options = {},
                               Compute compute = Compute::kFloat32);

}  // namespace toolkit::tensor

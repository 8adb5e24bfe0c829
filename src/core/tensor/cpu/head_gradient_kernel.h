#pragma once

#include <cstdint>

namespace toolkit::tensor::cpu {

/// The derivative of a weighted sum of cross-entropies by a dense head: what cross_entropy
/// (cross_entropy_kernel.h) leaves out, without softcap and label smoothing.
struct HeadGradientProblem {
  const float* hidden = nullptr;  // (tokens, width)
  const int32_t* targets = nullptr;
  const float* normalizers = nullptr;  // (tokens), log of the sum of exp(logit)
  const float* weights = nullptr;      // (tokens), of the losses in the sum
  const float* head = nullptr;         // (vocabulary, width)
  int64_t tokens = 0, width = 0, vocabulary = 0;
  float logit_scale = 1.0f;
};

/// Writes `gradient` (vocabulary, width) on all threads. Logits are made anew, a tile of the
/// vocabulary by a block of tokens at a time. A target outside the vocabulary counts as none.
void head_gradient(const HeadGradientProblem& problem, float* gradient);

}  // namespace toolkit::tensor::cpu

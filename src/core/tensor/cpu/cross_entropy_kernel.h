#pragma once

#include <cstdint>

#include "core/tensor/cpu/gemm.h"
#include "core/tensor/cpu/int8_gemm.h"

namespace toolkit::tensor::cpu {

/// Cross-entropy of softcap(logit_scale (hidden W^T + bias)) against targets, as in
/// core/tensor/cross_entropy.h.
struct CrossEntropyProblem {
  const float* hidden = nullptr;  // (tokens, width)
  const int32_t* targets = nullptr;
  int64_t tokens = 0;
  int64_t width = 0;
  RightFactor head;  // weight (vocabulary, width), with f32 scales when quantized and not in int8;
                     // `form` is set here
  const Int8Weight* int8 = nullptr;  // set: products in int8
  bool bf16 = false;                 // products in bf16
  const float* bias = nullptr;
  float softcap = 0.0f;
  float logit_scale = 1.0f;
  float label_smoothing = 0.0f;
};

/// Writes one loss per token, and unless `gradient` is null into it (tokens, width) the derivative
/// of each token's loss by its hidden row and into `normalizers` the log of each token's sum of
/// exp(logit). The vocabulary is walked in tiles with a running maximum
/// and sum, so logits never leave the cache and are computed once (twice with softcap or label
/// smoothing). A target outside the vocabulary gives a NaN loss.
void cross_entropy(const CrossEntropyProblem& problem, float* losses, float* gradient,
                   float* normalizers);

}  // namespace toolkit::tensor::cpu

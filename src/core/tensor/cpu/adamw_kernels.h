#pragma once

#include <cstdint>

namespace toolkit::tensor::cpu {

/// Sum of squares of `count` floats.
double sum_of_squares(const float* values, int64_t count);

/// The factors of one AdamW step, bias corrections worked in.
struct AdamwFactors {
  float gradient;  // multiplies every gradient: scale and clipping
  float beta1, beta2, eps;
  float decay;   // 1 - learning_rate * weight_decay
  float rate;    // learning_rate / (1 - beta1^step)
  float second;  // 1 / (1 - beta2^step)
};

/// m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,  p = decay p - rate m /
/// (sqrt(second v) + eps). An output may be its input.
void adamw_update(const float* parameter, const float* gradient, const float* m, const float* v,
                  float* parameter_out, float* m_out, float* v_out, int64_t count,
                  const AdamwFactors& factors);

}  // namespace toolkit::tensor::cpu

#pragma once

#include <cstdint>

namespace toolkit::tensor::cpu {

/// Sum of squares of `count` floats.
double sum_of_squares(const float* values, int64_t count);

/// sum += value, element by element.
void add_to(float* sum, const float* values, int64_t count);

// In all updates below an output may be its input.

/// The factors of one AdamW step, bias corrections worked in.
struct AdamwFactors {
  float gradient;  // multiplies every gradient: scale and clipping
  float beta1, beta2, eps;
  float decay;   // 1 - learning_rate * weight_decay
  float rate;    // learning_rate / (1 - beta1^step)
  float second;  // 1 / (1 - beta2^step)
};

/// m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,  p = decay p - rate m /
/// (sqrt(second v) + eps).
void adamw_update(const float* parameter, const float* gradient, const float* m, const float* v,
                  float* parameter_out, float* m_out, float* v_out, int64_t count,
                  const AdamwFactors& factors);

/// A first moment in 8 bits: kMomentBlock codes for each scale.
struct Moment8 {
  const int8_t* codes;
  const float* scales;
  int8_t* codes_out;
  float* scales_out;
};

/// The same with the first moment in 8 bits; `count` begins at a block.
void adamw_8bit_update(const float* parameter, const float* gradient, const Moment8& m,
                       const float* v, float* parameter_out, float* v_out, int64_t count,
                       const AdamwFactors& factors);

struct LionFactors {
  float gradient, beta1, beta2;
  float decay, rate;  // 1 - learning_rate * weight_decay, learning_rate
};

/// p = decay p - rate sign(beta1 m + (1 - beta1) g),  m = beta2 m + (1 - beta2) g.
void lion_update(const float* parameter, const float* gradient, const float* m,
                 float* parameter_out, float* m_out, int64_t count, const LionFactors& factors);

struct SgdFactors {
  float gradient, weight_decay, momentum, rate;
  bool nesterov;
};

/// g += weight_decay p,  m = momentum m + g,  p -= rate m (with nesterov: g + momentum m). Without
/// momentum `m` and `m_out` are null.
void sgd_update(const float* parameter, const float* gradient, const float* m, float* parameter_out,
                float* m_out, int64_t count, const SgdFactors& factors);

}  // namespace toolkit::tensor::cpu

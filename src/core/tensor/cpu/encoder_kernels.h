#pragma once

#include <cstdint>

#include "core/tensor/activation.h"

namespace toolkit::tensor::cpu {

/// What an encoder does to rows between its products; done by the calling thread alone.

/// y = norm(x + delta) * weight + bias for `rows` rows of `width` floats, one after another; delta
/// null: of x alone. y may be x or delta.
void layer_norm_rows(const float* x, const float* delta, const float* weight, const float* bias,
                     float* y, int64_t rows, int64_t width, float eps);

/// y may be x.
void activate(const float* x, float* y, int64_t count, Activation kind);

}  // namespace toolkit::tensor::cpu

#pragma once

#include <cstdint>

namespace toolkit::tensor::cpu {

/// `rows` rows of `width` floats, one after another; done by the calling thread alone.

/// sum = x + delta (delta null: sum is x and is not written), y = sum / rms(sum) * weight. `sum`
/// may be x or delta.
void rms_norm_rows(const float* x, const float* delta, const float* weight, float* sum, float* y,
                   int64_t rows, int64_t width, float eps);

/// Gradient of the above with respect to the sum: dx = dsum + d(norm); dsum null counts as zero and
/// dx may be dsum. Adds the weight's gradient to dweight unless that is null.
void rms_norm_backward_rows(const float* sum, const float* weight, const float* dy,
                            const float* dsum, float* dx, float* dweight, int64_t rows,
                            int64_t width, float eps);

}  // namespace toolkit::tensor::cpu

#pragma once

#include <cstdint>

namespace toolkit::tensor::cpu {

/// `rows` rows of `width` floats, one after another; done by the calling thread alone.

/// y = x * scale + bias (bias null: none); y may be x.
void scale_columns_rows(const float* x, const float* scale, const float* bias, float* y,
                        int64_t rows, int64_t width);

/// Its gradient from y: dx = dy * scale (dx may be dy), and the sums over the rows of
/// dy * (y - bias), which are scale times the gradient of scale, are added to `sums`.
void scale_columns_backward_rows(const float* y, const float* dy, const float* scale,
                                 const float* bias, float* dx, float* sums, int64_t rows,
                                 int64_t width);

/// The same on all threads, except that the sums are written; their order is the same on any
/// number of threads.
void scale_columns_backward(const float* y, const float* dy, const float* scale, const float* bias,
                            float* dx, float* sums, int64_t rows, int64_t width);

}  // namespace toolkit::tensor::cpu

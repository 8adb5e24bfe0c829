#include "core/tensor/cpu/scale_columns_kernels.h"

#include <algorithm>
#include <vector>

#include "core/tensor/cpu/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/scale_columns_kernels.cpp"
#include "hwy/foreach_target.h"

#include "core/tensor/cpu/simd_math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu {
namespace HWY_NAMESPACE {

void ScaleColumnsRows(const float* x, const float* scale, const float* bias, float* y, int64_t rows,
                      int64_t width) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t row = 0; row < rows; ++row, x += width, y += width) {
    int64_t i = 0;
    for (; i + lanes <= width; i += lanes) {
      const auto add = bias ? hn::LoadU(d, bias + i) : hn::Zero(d);
      hn::StoreU(hn::MulAdd(hn::LoadU(d, x + i), hn::LoadU(d, scale + i), add), d, y + i);
    }
    for (; i < width; ++i) y[i] = x[i] * scale[i] + (bias ? bias[i] : 0.0f);
  }
}

void ScaleColumnsBackwardRows(const float* y, const float* dy, const float* scale,
                              const float* bias, float* dx, float* sums, int64_t rows,
                              int64_t width) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t row = 0; row < rows; ++row, y += width, dy += width, dx += width) {
    int64_t i = 0;
    for (; i + lanes <= width; i += lanes) {
      const auto gradient = hn::LoadU(d, dy + i);
      auto product = hn::LoadU(d, y + i);
      if (bias) product = hn::Sub(product, hn::LoadU(d, bias + i));
      hn::StoreU(hn::MulAdd(gradient, product, hn::LoadU(d, sums + i)), d, sums + i);
      hn::StoreU(hn::Mul(gradient, hn::LoadU(d, scale + i)), d, dx + i);
    }
    for (; i < width; ++i) {
      const float gradient = dy[i];
      sums[i] += gradient * (bias ? y[i] - bias[i] : y[i]);
      dx[i] = gradient * scale[i];
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace toolkit::tensor::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(ScaleColumnsRows);
HWY_EXPORT(ScaleColumnsBackwardRows);

void scale_columns_rows(const float* x, const float* scale, const float* bias, float* y,
                        int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(ScaleColumnsRows)(x, scale, bias, y, rows, width);
}

void scale_columns_backward_rows(const float* y, const float* dy, const float* scale,
                                 const float* bias, float* dx, float* sums, int64_t rows,
                                 int64_t width) {
  HWY_DYNAMIC_DISPATCH(ScaleColumnsBackwardRows)(y, dy, scale, bias, dx, sums, rows, width);
}

void scale_columns_backward(const float* y, const float* dy, const float* scale, const float* bias,
                            float* dx, float* sums, int64_t rows, int64_t width) {
  constexpr int64_t kRowsPerTask = 32;
  const int64_t blocks = (rows + kRowsPerTask - 1) / kRowsPerTask;
  std::vector<float> partial(static_cast<size_t>(blocks * width), 0.0f);
  parallel_for(blocks, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t row = block * kRowsPerTask, at = row * width;
      scale_columns_backward_rows(y + at, dy + at, scale, bias, dx + at,
                                  partial.data() + block * width,
                                  std::min(kRowsPerTask, rows - row), width);
    }
  });
  std::copy_n(partial.begin(), width, sums);
  for (int64_t block = 1; block < blocks; ++block)
    for (int64_t i = 0; i < width; ++i) sums[i] += partial[static_cast<size_t>(block * width + i)];
}

}  // namespace toolkit::tensor::cpu
#endif

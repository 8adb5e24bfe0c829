#include "core/tensor/cpu/rms_norm_kernels.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/rms_norm_kernels.cpp"
#include "hwy/foreach_target.h"

#include "core/tensor/cpu/simd_math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu {
namespace HWY_NAMESPACE {

// Calls full(i) for whole vectors and then rest(i) for single elements.
template <class Full, class Rest>
HWY_INLINE void for_row(int64_t width, Full full, Rest rest) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  int64_t i = 0;
  for (; i + lanes <= width; i += lanes) full(i);
  for (; i < width; ++i) rest(i);
}

float sum_of_squares(const float* x, int64_t width) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto a = hn::Zero(d), b = hn::Zero(d), c = hn::Zero(d), e = hn::Zero(d);
  int64_t i = 0;
  for (; i + 4 * lanes <= width; i += 4 * lanes) {
    const auto x0 = hn::LoadU(d, x + i), x1 = hn::LoadU(d, x + i + lanes);
    const auto x2 = hn::LoadU(d, x + i + 2 * lanes), x3 = hn::LoadU(d, x + i + 3 * lanes);
    a = hn::MulAdd(x0, x0, a);
    b = hn::MulAdd(x1, x1, b);
    c = hn::MulAdd(x2, x2, c);
    e = hn::MulAdd(x3, x3, e);
  }
  for (; i + lanes <= width; i += lanes) {
    const auto x0 = hn::LoadU(d, x + i);
    a = hn::MulAdd(x0, x0, a);
  }
  float total = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), hn::Add(c, e))));
  for (; i < width; ++i) total += x[i] * x[i];
  return total;
}

void RmsNormRows(const float* x, const float* delta, const float* weight, float* sum, float* y,
                 int64_t rows, int64_t width, float eps) {
  const Floats d;
  for (int64_t row = 0; row < rows; ++row) {
    const float* in = x + row * width;
    if (delta) {
      const float* add = delta + row * width;
      float* out = sum + row * width;
      for_row(
          width,
          [&](int64_t i) HWY_ATTR {
            hn::StoreU(hn::Add(hn::LoadU(d, in + i), hn::LoadU(d, add + i)), d, out + i);
          },
          [&](int64_t i) HWY_ATTR { out[i] = in[i] + add[i]; });
      in = out;
    }
    float* out = y + row * width;
    const float mean = sum_of_squares(in, width) / static_cast<float>(width);
    const float inverse = 1.0f / std::sqrt(mean + eps);
    const auto factor = hn::Set(d, inverse);
    for_row(
        width,
        [&](int64_t i) HWY_ATTR {
          hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, in + i), factor), hn::LoadU(d, weight + i)), d,
                     out + i);
        },
        [&](int64_t i) HWY_ATTR { out[i] = in[i] * inverse * weight[i]; });
  }
}

// sum over i of x[i] * weight[i] * dy[i], and of x[i]^2
HWY_INLINE void two_sums(const float* x, const float* weight, const float* dy, int64_t width,
                         float& dot, float& squares) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto dot0 = hn::Zero(d), dot1 = hn::Zero(d), square0 = hn::Zero(d), square1 = hn::Zero(d);
  int64_t i = 0;
  for (; i + 2 * lanes <= width; i += 2 * lanes) {
    const auto x0 = hn::LoadU(d, x + i), x1 = hn::LoadU(d, x + i + lanes);
    square0 = hn::MulAdd(x0, x0, square0);
    square1 = hn::MulAdd(x1, x1, square1);
    dot0 = hn::MulAdd(hn::Mul(x0, hn::LoadU(d, weight + i)), hn::LoadU(d, dy + i), dot0);
    dot1 = hn::MulAdd(hn::Mul(x1, hn::LoadU(d, weight + i + lanes)), hn::LoadU(d, dy + i + lanes),
                      dot1);
  }
  dot = hn::GetLane(hn::SumOfLanes(d, hn::Add(dot0, dot1)));
  squares = hn::GetLane(hn::SumOfLanes(d, hn::Add(square0, square1)));
  for (; i < width; ++i) {
    dot += x[i] * weight[i] * dy[i];
    squares += x[i] * x[i];
  }
}

// With u = 1 / rms and n = x u:  dx = u (w dy - n mean(n w dy)),  dw = n dy.
void RmsNormBackwardRows(const float* sum, const float* weight, const float* dy, const float* dsum,
                         float* dx, float* dweight, int64_t rows, int64_t width, float eps) {
  const Floats d;
  for (int64_t row = 0; row < rows; ++row) {
    const float* x = sum + row * width;
    const float* g = dy + row * width;
    const float* carried = dsum ? dsum + row * width : nullptr;
    float* out = dx + row * width;
    float dot, squares;
    two_sums(x, weight, g, width, dot, squares);
    const float u = 1.0f / std::sqrt(squares / static_cast<float>(width) + eps);
    const float pull = -u * u * u * dot / static_cast<float>(width);
    const auto factor = hn::Set(d, u), pulls = hn::Set(d, pull);
    if (dweight) {
      for_row(
          width,
          [&](int64_t i) HWY_ATTR {
            const auto n = hn::Mul(hn::LoadU(d, x + i), factor);
            hn::StoreU(hn::MulAdd(n, hn::LoadU(d, g + i), hn::LoadU(d, dweight + i)), d,
                       dweight + i);
          },
          [&](int64_t i) HWY_ATTR { dweight[i] += x[i] * u * g[i]; });
    }
    for_row(
        width,
        [&](int64_t i) HWY_ATTR {
          const auto before = carried ? hn::LoadU(d, carried + i) : hn::Zero(d);
          const auto scaled = hn::Mul(hn::LoadU(d, weight + i), hn::LoadU(d, g + i));
          hn::StoreU(hn::MulAdd(factor, scaled, hn::MulAdd(pulls, hn::LoadU(d, x + i), before)), d,
                     out + i);
        },
        [&](int64_t i) HWY_ATTR {
          out[i] = (carried ? carried[i] : 0.0f) + u * weight[i] * g[i] + pull * x[i];
        });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace toolkit::tensor::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(RmsNormRows);
HWY_EXPORT(RmsNormBackwardRows);

void rms_norm_rows(const float* x, const float* delta, const float* weight, float* sum, float* y,
                   int64_t rows, int64_t width, float eps) {
  HWY_DYNAMIC_DISPATCH(RmsNormRows)(x, delta, weight, sum, y, rows, width, eps);
}

void rms_norm_backward_rows(const float* sum, const float* weight, const float* dy,
                            const float* dsum, float* dx, float* dweight, int64_t rows,
                            int64_t width, float eps) {
  HWY_DYNAMIC_DISPATCH(RmsNormBackwardRows)(sum, weight, dy, dsum, dx, dweight, rows, width, eps);
}

}  // namespace toolkit::tensor::cpu
#endif

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/tensor/cpu/kernel_target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/simd_math_test.cpp"
#include "hwy/foreach_target.h"

#include "core/tensor/cpu/simd_math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu {
namespace HWY_NAMESPACE {

/// y = function(x) for each element; the size is a multiple of every vector's.
template <class Function>
void map(const std::vector<float>& x, std::vector<float>& y, const Function& function) {
  const Floats d;
  y.resize(x.size());
  for (size_t i = 0; i < x.size(); i += hn::Lanes(d))
    hn::StoreU(function(d, hn::LoadU(d, x.data() + i)), d, y.data() + i);
}

void map_exp(const std::vector<float>& x, std::vector<float>& y) {
  map(x, y, [](Floats d, FloatVec v) { return exp_fast(d, v); });
}
void map_exp2(const std::vector<float>& x, std::vector<float>& y) {
  map(x, y, [](Floats d, FloatVec v) { return exp2_of_negative(d, v); });
}
void map_sigmoid(const std::vector<float>& x, std::vector<float>& y) {
  map(x, y, [](Floats d, FloatVec v) { return sigmoid_fast(d, v).value; });
}
void map_slope(const std::vector<float>& x, std::vector<float>& y) {
  map(x, y, [](Floats d, FloatVec v) { return sigmoid_fast(d, v).slope; });
}
void map_tanh(const std::vector<float>& x, std::vector<float>& y) {
  map(x, y, [](Floats d, FloatVec v) { return tanh_fast(d, v); });
}

}  // namespace HWY_NAMESPACE
}  // namespace toolkit::tensor::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(map_exp);
HWY_EXPORT(map_exp2);
HWY_EXPORT(map_sigmoid);
HWY_EXPORT(map_slope);
HWY_EXPORT(map_tanh);

namespace {

constexpr size_t kPoints = 1 << 16;

/// Points over [low, high], both ends among them.
std::vector<float> points(float low, float high) {
  std::vector<float> x(kPoints);
  for (size_t i = 0; i < kPoints; ++i)
    x[i] = low + (high - low) * static_cast<float>(i) / static_cast<float>(kPoints - 1);
  return x;
}

/// The largest |y - exact| / |exact| (as relative) or |y - exact|, in double precision.
template <class Exact>
double largest_error(const std::vector<float>& x, const std::vector<float>& y, bool relative,
                     const Exact& exact) {
  double largest = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double wanted = exact(static_cast<double>(x[i]));
    const double error = std::abs(y[i] - wanted) / (relative ? std::abs(wanted) : 1.0);
    if (!(error <= largest)) largest = error;  // a NaN is kept, and fails every comparison
  }
  return largest;
}

/// Runs the test with each instruction set that this machine has.
template <class Test>
void on_every_target(const Test& test) {
  const std::string before = kernel_target();
  for (const std::string& name : kernel_targets()) {
    force_kernel_target(name);
    INFO(name);
    test();
  }
  force_kernel_target(before);
}

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("e^x keeps the error its comment promises, and does not overflow") {
    on_every_target([] {
      std::vector<float> y;
      for (const auto& [low, high] : {std::pair{-87.3f, 88.3f}, {-1.0f, 1.0f}, {-0.01f, 0.01f}}) {
        const auto x = points(low, high);
        HWY_DYNAMIC_DISPATCH(map_exp)(x, y);
        CHECK(largest_error(x, y, true, [](double v) { return std::exp(v); }) < 3e-7);
      }
      std::vector<float> x(64, 88.31f);
      std::fill(x.begin(), x.begin() + 16, std::numeric_limits<float>::infinity());
      HWY_DYNAMIC_DISPATCH(map_exp)(x, y);
      CHECK(std::all_of(y.begin(), y.end(), [](float v) { return std::isfinite(v) && v > 2e38f; }));
      std::fill(x.begin(), x.end(), -87.31f);
      std::fill(x.begin(), x.begin() + 16, -std::numeric_limits<float>::infinity());
      HWY_DYNAMIC_DISPATCH(map_exp)(x, y);
      CHECK(std::all_of(y.begin(), y.end(), [](float v) { return v == 0; }));
    });
  }

  TEST_CASE("2^x of negative x") {
    on_every_target([] {
      std::vector<float> y;
      for (const float low : {-125.99f, -1.0f}) {
        const auto x = points(low, 0.0f);
        HWY_DYNAMIC_DISPATCH(map_exp2)(x, y);
        CHECK(largest_error(x, y, true, [](double v) { return std::exp2(v); }) < 4e-7);
      }
      std::vector<float> x(64, -126.01f);
      std::fill(x.begin(), x.begin() + 16, -std::numeric_limits<float>::infinity());
      HWY_DYNAMIC_DISPATCH(map_exp2)(x, y);
      CHECK(std::all_of(y.begin(), y.end(), [](float v) { return v == 0; }));
    });
  }

  TEST_CASE("sigmoid, its slope and tanh") {
    on_every_target([] {
      std::vector<float> y;
      for (const float end : {80.0f, 2.0f}) {
        const auto x = points(-end, end);
        HWY_DYNAMIC_DISPATCH(map_sigmoid)(x, y);
        CHECK(largest_error(x, y, true, sigmoid) < 6e-7);
        HWY_DYNAMIC_DISPATCH(map_slope)(x, y);
        const auto slope = [](double v) { return sigmoid(v) * sigmoid(-v); };
        CHECK(largest_error(x, y, true, slope) < 8e-7);
        HWY_DYNAMIC_DISPATCH(map_tanh)(x, y);
        CHECK(largest_error(x, y, false, [](double v) { return std::tanh(v); }) < 3e-7);
      }
    });
  }
}

}  // namespace toolkit::tensor::cpu
#endif

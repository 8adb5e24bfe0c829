#include "core/tensor/gated_activation.h"

#include "core/base/error.h"
#include "core/tensor/compare_test.h"

namespace toolkit::tensor::test {

TEST_SUITE("unit") {
  TEST_CASE("gated_activation equals the plain graph in value and gradients") {
    for (const Gate kind : {Gate::kSilu, Gate::kGeluTanh}) {
      for (const mx::Shape& shape : {mx::Shape{3}, {2, 5, 96}, {33, 1536}}) {
        for (const float scale : {0.05f, 1.0f, 20.0f}) {
          CAPTURE(scale);
          compare_with_plain(
              [&](const Arrays& in) { return Arrays{gated_activation(in[0], in[1], kind)}; },
              {random_array(shape, 1, scale), random_array(shape, 2)}, 2);
        }
      }
    }
  }

  TEST_CASE("the activation is right for tiny and for large inputs") {
    const std::vector<float> points = {-1000.0f, -90.0f, -20.0f, -1.0f, -1e-3f, -1e-20f, 0.0f,
                                       1e-20f,   1e-3f,  0.2f,   0.3f,  5.0f,   90.0f,   1000.0f};
    const int count = static_cast<int>(points.size());
    const mx::array x(points.begin(), {count}, mx::float32);
    const mx::array silu = gated_activation(x, mx::ones({count}), Gate::kSilu);
    const mx::array gelu = gated_activation(x, mx::ones({count}), Gate::kGeluTanh);
    mx::eval(silu, gelu);
    for (size_t i = 0; i < points.size(); ++i) {
      const double v = points[i];
      CAPTURE(v);
      CHECK(silu.data<float>()[i] == doctest::Approx(v / (1.0 + std::exp(-v))).epsilon(2e-6));
      const double inner = std::sqrt(2.0 / 3.14159265358979) * (v + 0.044715 * v * v * v);
      CHECK(gelu.data<float>()[i] ==
            doctest::Approx(0.5 * v * (1.0 + std::tanh(inner))).epsilon(2e-6));
    }
  }

  TEST_CASE("gated_activation refuses unequal shapes") {
    CHECK_THROWS_WITH_AS(
        gated_activation(random_array({2, 4}, 1), random_array({2, 5}, 1), Gate::kSilu),
        doctest::Contains("(2, 4) float32 and (2, 5) float32"), Error);
  }
}

}  // namespace toolkit::tensor::test

#include "core/tensor/activation.h"

#include "core/tensor/compare_test.h"

namespace toolkit::tensor::test {

TEST_SUITE("unit") {
  TEST_CASE("activations equal the plain graph in value and gradient") {
    for (const Activation kind : {Activation::kGelu, Activation::kGeluTanh, Activation::kRelu}) {
      const auto function = [kind](const Arrays& in) { return Arrays{activation(in[0], kind)}; };
      compare_with_plain(function, {random_array({3, 37}, 1, 3.0f)}, 1);
      compare_with_plain(function, {random_array({9000}, 2)}, 1);
      compare_with_plain(function, {mx::array({-40.0f, -9.0f, -0.0f, 0.0f, 9.0f, 40.0f})}, 1);
    }
  }

  TEST_CASE("far below zero little is left of a number and never more than rounding") {
    const mx::array x({-6.0f, -5.0f, -4.0f});
    const mx::array y = activation(x, Activation::kGelu);
    mx::eval(y);
    CHECK(y.data<float>()[0] == doctest::Approx(-5.92e-9f).epsilon(0.5));
    CHECK(y.data<float>()[1] == doctest::Approx(-1.4333e-6f).epsilon(0.1));
    CHECK(y.data<float>()[2] == doctest::Approx(-1.26685e-4f).epsilon(0.01));
  }
}

}  // namespace toolkit::tensor::test

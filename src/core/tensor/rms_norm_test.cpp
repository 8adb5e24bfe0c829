#include "core/tensor/rms_norm.h"

#include "core/base/error.h"
#include "core/tensor/compare_test.h"

namespace toolkit::tensor::test {

TEST_SUITE("unit") {
  TEST_CASE("rms_norm equals the plain graph in value and gradients") {
    for (const mx::Shape& shape : {mx::Shape{1, 1, 5}, {3, 64}, {2, 7, 576}, {1, 33, 100}}) {
      const int width = shape.back();
      const mx::array x = random_array(shape, 1), weight = random_array({width}, 2);
      compare_with_plain([](const Arrays& in) { return Arrays{rms_norm(in[0], in[1], 1e-5f)}; },
                         {x, weight}, 2);
      compare_with_plain([](const Arrays& in) { return Arrays{rms_norm(in[0], in[1], 1e-5f)}; },
                         {x, weight}, 1);
    }
  }

  TEST_CASE("add_rms_norm equals the plain graph in both results and all gradients") {
    for (const mx::Shape& shape : {mx::Shape{3, 20}, {2, 7, 576}, {1, 33, 100}}) {
      const mx::array x = random_array(shape, 1), delta = random_array(shape, 2);
      const mx::array weight = random_array({shape.back()}, 3);
      compare_with_plain(
          [](const Arrays& in) {
            const auto [sum, y] = add_rms_norm(in[0], in[1], in[2], 1e-6f);
            return Arrays{sum, y};
          },
          {x, delta, weight}, 3);
    }
  }

  TEST_CASE("rms_norm reads transposed input") {
    const mx::array x = mx::transpose(random_array({64, 9}, 1)), weight = random_array({64}, 2);
    compare_with_plain([](const Arrays& in) { return Arrays{rms_norm(in[0], in[1], 1e-5f)}; },
                       {x, weight}, 2);
  }

  TEST_CASE("rms_norm refuses a weight of another width and names both shapes") {
    const mx::array x = random_array({2, 8}, 1), weight = random_array({9}, 2);
    CHECK_THROWS_WITH_AS(rms_norm(x, weight, 1e-5f),
                         doctest::Contains("(2, 8) float32 and (9) float32"), Error);
    CHECK_THROWS_AS(add_rms_norm(x, random_array({2, 9}, 1), random_array({8}, 1), 1e-5f), Error);
  }
}

}  // namespace toolkit::tensor::test

#include "core/tensor/layer_norm.h"

#include "core/base/error.h"
#include "core/tensor/compare_test.h"

namespace toolkit::tensor::test {

TEST_SUITE("unit") {
  TEST_CASE("layer_norm equals the plain graph in value and gradients") {
    for (const mx::Shape& shape : {mx::Shape{1, 1, 5}, {3, 64}, {2, 7, 384}, {1, 33, 100}}) {
      const int width = shape.back();
      const mx::array x = mx::add(random_array(shape, 1), mx::array(3.0f));
      const mx::array delta = random_array(shape, 4), weight = random_array({width}, 2),
                      bias = random_array({width}, 3);
      compare_with_plain(
          [](const Arrays& in) { return Arrays{layer_norm(in[0], in[1], in[2], 1e-5f)}; },
          {x, weight, bias}, 3);
      compare_with_plain(
          [](const Arrays& in) { return Arrays{layer_norm(in[0], in[1], in[2], 1e-5f, &in[3])}; },
          {x, weight, bias, delta}, 4);
    }
  }

  TEST_CASE("layer_norm refuses shapes that do not belong together and names them") {
    const mx::array x = random_array({2, 8}, 1), eight = random_array({8}, 2),
                    nine = random_array({9}, 2);
    CHECK_THROWS_WITH_AS(layer_norm(x, nine, eight, 1e-5f), doctest::Contains("(9) float32"),
                         Error);
    CHECK_THROWS_AS(layer_norm(x, eight, nine, 1e-5f), Error);
    CHECK_THROWS_AS(layer_norm(x, eight, eight, 1e-5f, &eight), Error);
  }
}

}  // namespace toolkit::tensor::test

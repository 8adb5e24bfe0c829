#include "core/tensor/scale_columns.h"

#include "core/base/error.h"
#include "core/tensor/compare_test.h"

namespace toolkit::tensor::test {

TEST_SUITE("unit") {
  TEST_CASE("scale_columns equals the plain graph in value and gradients") {
    for (const mx::Shape& shape : {mx::Shape{1, 3}, {2, 37, 96}, {130, 577}}) {
      const int width = shape.back();
      const mx::array bias = random_array({width}, 3);
      for (const mx::array* added : {static_cast<const mx::array*>(nullptr), &bias})
        compare_with_plain(
            [&](const Arrays& in) { return Arrays{scale_columns(in[0], in[1], added)}; },
            {random_array(shape, 1), random_array({width}, 2)}, 2);
    }
  }

  TEST_CASE("a column scaled by zero has no gradient and is no error") {
    const mx::array x = random_array({4, 3}, 1), scale({1.0f, 0.0f, -2.0f});
    const auto sum = [&](const std::vector<mx::array>& in) {
      return mx::sum(scale_columns(x, in[0], nullptr));
    };
    const mx::array gradient = mx::value_and_grad(sum, std::vector<int>{0})({scale}).second[0];
    CHECK(mx::all(mx::isfinite(gradient)).item<bool>());
  }

  TEST_CASE("scale_columns refuses a scale of another width") {
    CHECK_THROWS_AS(scale_columns(random_array({2, 4}, 1), random_array({5}, 1), nullptr), Error);
  }
}

}  // namespace toolkit::tensor::test

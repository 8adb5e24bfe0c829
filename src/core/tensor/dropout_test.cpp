#include "core/tensor/dropout.h"

#include "core/base/error.h"
#include "core/tensor/compare_test.h"

namespace toolkit::tensor::test {

TEST_SUITE("unit") {
  TEST_CASE("dropout draws the same as the plain graph in value and gradient") {
    for (const mx::Shape& shape : {mx::Shape{3}, {2, 5, 96}, {33, 1537}})
      for (const float rate : {0.05f, 0.5f, 0.9f})
        compare_with_plain(
            [&](const Arrays& in) { return Arrays{dropout(in[0], rate, 0x123456789abcdef0u)}; },
            {random_array(shape, 1)}, 1, 1e-6f);
  }

  TEST_CASE("dropout zeroes the share asked for and keeps the mean and another key draws others") {
    const mx::array ones = mx::ones({200, 1000});
    const mx::array first = dropout(ones, 0.25f, 7), again = dropout(ones, 0.25f, 7);
    const mx::array other = dropout(ones, 0.25f, 8);
    CHECK(mx::mean(first).item<float>() == doctest::Approx(1.0).epsilon(0.01));
    const mx::array zeros = mx::equal(first, mx::array(0.0f));
    CHECK(mx::mean(mx::astype(zeros, mx::float32)).item<float>() ==
          doctest::Approx(0.25).epsilon(0.02));
    CHECK(mx::array_equal(first, again).item<bool>());
    const mx::array both = mx::logical_and(zeros, mx::equal(other, mx::array(0.0f)));
    CHECK(mx::mean(mx::astype(both, mx::float32)).item<float>() ==
          doctest::Approx(0.0625).epsilon(0.03));
    CHECK(mx::array_equal(dropout(ones, 0.0f, 7), ones).item<bool>());
    CHECK_THROWS_AS(dropout(ones, 1.0f, 7), Error);
  }
}

}  // namespace toolkit::tensor::test

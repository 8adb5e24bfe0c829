#include "core/tensor/rope.h"

#include "core/base/error.h"
#include "core/tensor/compare_test.h"

namespace toolkit::tensor::test {

namespace {
mx::array frequencies(int half) {
  std::vector<float> values;
  for (int i = 0; i < half; ++i)
    values.push_back(std::pow(10000.0f, -static_cast<float>(i) / static_cast<float>(half)));
  return mx::array(values.begin(), {half}, mx::float32);
}
}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("rope equals the plain graph: offsets, partial rotation, scale") {
    struct Case {
      mx::Shape shape;
      int half, offset;
      float scale;
    };
    for (const Case& c : {Case{{1, 5, 3, 64}, 32, 0, 1.0f},
                          {{2, 33, 2, 80}, 20, 7, 1.0f},
                          {{1, 1, 4, 128}, 64, 1000, 1.25f},
                          {{2, 4, 1, 10}, 5, 3, 0.5f}}) {
      compare_with_plain(
          [&](const Arrays& in) {
            return Arrays{rope(in[0], frequencies(c.half), c.offset, c.scale)};
          },
          {random_array(c.shape, 1)}, 1);
    }
  }

  TEST_CASE("rope with a position per token equals the plain graph and that of single tokens") {
    const std::vector<int> at = {0, 1, 2, 3, 2, 3, 4, 900, 5, 0, 0, 7, 6, 1};
    const mx::array positions(at.begin(), {2, 7}, mx::int32);
    for (const int half : {20, 32}) {
      const mx::array x = random_array({2, 7, 3, 80}, 1);
      const auto turn = [&](const Arrays& in) {
        return Arrays{rope(in[0], frequencies(half), positions, 1.25f)};
      };
      compare_with_plain(turn, {x}, 1);
      const mx::array turned = turn({x})[0];
      for (int i = 0; i < 14; ++i) {
        const mx::Shape begin{i / 7, i % 7, 0, 0}, end{i / 7 + 1, i % 7 + 1, 3, 80};
        const mx::array alone = rope(mx::slice(x, begin, end), frequencies(half), at[i], 1.25f);
        CHECK(relative_error(mx::slice(turned, begin, end), alone) < 1e-6f);
      }
    }
  }

  TEST_CASE("the gradient of rope turns back: rotating and rotating back is the identity") {
    const mx::array x = random_array({1, 9, 2, 64}, 1);
    const auto turn = [](const Arrays& in) { return Arrays{rope(in[0], frequencies(32), 3)}; };
    const auto back = mx::vjp(turn, {x}, turn({x})).second;
    CHECK(relative_error(back[0], x) < 1e-5f);
  }

  TEST_CASE("rope works on a tensor whose head axis was moved") {
    const mx::array x = mx::transpose(random_array({1, 3, 9, 32}, 1), {0, 2, 1, 3});
    compare_with_plain([&](const Arrays& in) { return Arrays{rope(in[0], frequencies(16), 0)}; },
                       {x}, 1);
  }

  TEST_CASE("rope refuses more frequencies than pairs") {
    CHECK_THROWS_WITH_AS(rope(random_array({1, 2, 1, 8}, 1), frequencies(5), 0),
                         doctest::Contains("(1, 2, 1, 8)"), Error);
    CHECK_THROWS_WITH_AS(
        rope(random_array({1, 2, 1, 8}, 1), frequencies(4), mx::zeros({1, 3}, mx::int32)),
        doctest::Contains("(1, 3)"), Error);
  }
}

}  // namespace toolkit::tensor::test

#include "core/tensor/adamw.h"

#include <limits>

#include "core/base/error.h"
#include "core/tensor/compare_test.h"

namespace toolkit::tensor::test {

namespace {

struct State {
  Arrays parameters, gradients, first, second;
};

State random_state() {
  State s;
  int seed = 0;
  for (const mx::Shape& shape : {mx::Shape{3}, {8, 576}, {1}, {70, 300}}) {
    s.parameters.push_back(random_array(shape, ++seed));
    s.gradients.push_back(random_array(shape, ++seed, 0.01f));
    s.first.push_back(random_array(shape, ++seed, 0.01f));
    s.second.push_back(mx::square(random_array(shape, ++seed, 0.01f)));
  }
  return s;
}

Function step_function(const AdamwStep& step) {
  return [step](const Arrays& in) {
    const auto part = [&, count = in.size() / 4](size_t index) {
      return std::span(in).subspan(index * count, count);
    };
    const AdamwResult result = adamw(part(0), part(1), part(2), part(3), step);
    Arrays all = result.parameters;
    all.insert(all.end(), result.first_moments.begin(), result.first_moments.end());
    all.insert(all.end(), result.second_moments.begin(), result.second_moments.end());
    all.push_back(result.gradient_norm);
    return all;
  };
}

Arrays joined(const State& s) {
  Arrays all;
  for (const Arrays* part : {&s.parameters, &s.gradients, &s.first, &s.second})
    all.insert(all.end(), part->begin(), part->end());
  return all;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("adamw equals the plain graph: decay, scaling, clipping, late steps") {
    AdamwStep step{.learning_rate = 1e-2f};
    compare_with_plain(step_function(step), joined(random_state()), 0);
    step = {.learning_rate = 1e-2f,
            .weight_decay = 0.1f,
            .step = 17,
            .gradient_scale = 0.25f,
            .max_norm = 0.5f};
    compare_with_plain(step_function(step), joined(random_state()), 0);
  }

  TEST_CASE("a NaN or Inf gradient changes nothing and shows in the norm") {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      State s = random_state();
      s.gradients[1] =
          mx::where(mx::greater(s.gradients[1], mx::array(0.02f)), mx::array(bad), s.gradients[1]);
      AdamwResult result =
          adamw(s.parameters, s.gradients, s.first, s.second, {.learning_rate = 1e-2f});
      CHECK_FALSE(std::isfinite(result.gradient_norm.item<float>()));
      for (size_t i = 0; i < s.parameters.size(); ++i) {
        CHECK(mx::array_equal(result.parameters[i], s.parameters[i]).item<bool>());
        CHECK(mx::array_equal(result.first_moments[i], s.first[i]).item<bool>());
        CHECK(mx::array_equal(result.second_moments[i], s.second[i]).item<bool>());
      }
    }
  }

  TEST_CASE("buffers that nobody else holds are written in place") {
    if (!use_cpu_kernels()) {
      MESSAGE("SKIPPED: the plain graph does not work in place");
      return;
    }
    State s = random_state();
    Arrays all = joined(s);
    mx::eval(all);
    all.clear();
    const float* before = s.first[1].data<float>();
    const mx::array kept = s.parameters[1];
    const mx::array copy = mx::add(kept, mx::array(0.0f));
    mx::eval(copy);
    AdamwResult result =
        adamw(s.parameters, s.gradients, s.first, s.second, {.learning_rate = 1e-2f});
    s = {};
    mx::eval(result.parameters);
    CHECK(result.first_moments[1].data<float>() == before);
    CHECK(result.parameters[1].data<float>() != kept.data<float>());
    CHECK(mx::array_equal(kept, copy).item<bool>());
  }

  TEST_CASE("adamw refuses a gradient of another shape") {
    State s = random_state();
    s.gradients[0] = mx::zeros({4});
    CHECK_THROWS_WITH_AS(
        adamw(s.parameters, s.gradients, s.first, s.second, {.learning_rate = 0.1f}),
        doctest::Contains("(3) float32, but its gradient or moment is (4)"), Error);
  }
}

}  // namespace toolkit::tensor::test

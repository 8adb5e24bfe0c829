#include "core/optim/optimizer.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "mlx/mlx.h"

using namespace toolkit;
using namespace toolkit::optim;

namespace {

// Minimises sum((x - goal)^2) from x = 0.
mx::array minimise(Optimizer& optimizer, mx::array x, int steps, double rate) {
  const mx::array goal({1.0f, -2.0f, 3.0f});
  for (int i = 0; i < steps; ++i) {
    const mx::array gradient = mx::multiply(mx::array(2.0f), mx::subtract(x, goal));
    x = optimizer.step({&x, 1}, {&gradient, 1}, {.learning_rate = rate}).parameters[0];
    mx::eval(x);
  }
  return x;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("first AdamW step moves by the learning rate against the gradient's sign, plus decay") {
    const auto optimizer = make_optimizer("adamw", {.weight_decay = 0.1});
    const mx::array x({1.0f, 1.0f}), gradient({5.0f, -0.3f});
    const StepResult result = optimizer->step({&x, 1}, {&gradient, 1}, {.learning_rate = 0.01});
    mx::array moved = result.parameters[0];
    mx::eval(moved);
    CHECK(moved.data<float>()[0] == doctest::Approx(1.0f - 0.001f - 0.01f));
    CHECK(moved.data<float>()[1] == doctest::Approx(1.0f - 0.001f + 0.01f));
    CHECK(mx::array(result.gradient_norm).item<float>() == doctest::Approx(std::sqrt(25.09f)));
  }

  TEST_CASE("AdamW reaches the minimum of a bowl") {
    const auto optimizer = make_optimizer("adamw", {});
    const mx::array x = minimise(*optimizer, mx::zeros({3}), 400, 0.05);
    CHECK(x.data<float>()[0] == doctest::Approx(1.0f).epsilon(0.01));
    CHECK(x.data<float>()[1] == doctest::Approx(-2.0f).epsilon(0.01));
    CHECK(x.data<float>()[2] == doctest::Approx(3.0f).epsilon(0.01));
  }

  TEST_CASE("state saved and restored gives the same steps bit for bit") {
    const auto whole = make_optimizer("adamw", {});
    const mx::array expected = minimise(*whole, mx::zeros({3}), 10, 0.1);
    const auto first = make_optimizer("adamw", {});
    const mx::array half = minimise(*first, mx::zeros({3}), 5, 0.1);
    const auto second = make_optimizer("adamw", {});
    second->restore(first->state(), {&half, 1}, first->steps_done());
    const mx::array found = minimise(*second, half, 5, 0.1);
    CHECK(mx::array_equal(found, expected).item<bool>());
  }

  TEST_CASE("a gradient that is not finite changes nothing and its norm says so") {
    const auto optimizer = make_optimizer("adamw", {});
    const mx::array x({1.0f, 2.0f}), bad({1.0f, std::numeric_limits<float>::quiet_NaN()});
    const StepResult result =
        optimizer->step({&x, 1}, {&bad, 1}, {.learning_rate = 0.1, .max_norm = 1.0});
    CHECK_FALSE(std::isfinite(mx::array(result.gradient_norm).item<float>()));
    CHECK(mx::array_equal(result.parameters[0], x).item<bool>());
    optimizer->undo_count();
    CHECK(optimizer->steps_done() == 0);
  }

  TEST_CASE("gradients are scaled, then clipped by their global norm") {
    const auto one = make_optimizer("adamw", {}), two = make_optimizer("adamw", {});
    const std::vector<mx::array> x{mx::zeros({2}), mx::zeros({1})};
    const std::vector<mx::array> large{mx::array({30.0f, 40.0f}), mx::array({0.0f})};
    const std::vector<mx::array> unit{mx::array({0.6f, 0.8f}), mx::array({0.0f})};
    const StepResult clipped =
        one->step(x, large, {.learning_rate = 0.1, .gradient_scale = 0.1, .max_norm = 1.0});
    two->step(x, unit, {.learning_rate = 0.1});
    CHECK(mx::array(clipped.gradient_norm).item<float>() == doctest::Approx(5.0f));
    CHECK(mx::allclose(one->state().at("m.0"), two->state().at("m.0"), 1e-5).item<bool>());
    CHECK(mx::allclose(one->state().at("v.0"), two->state().at("v.0"), 1e-5).item<bool>());
  }

  TEST_CASE("state of another adapter and unknown names are refused") {
    const auto optimizer = make_optimizer("adamw", {});
    const mx::array x = mx::zeros({3});
    CHECK_THROWS_AS(optimizer->restore({}, {&x, 1}, 3), Error);
    const std::map<std::string, mx::array> wrong{{"m.0", mx::zeros({2})}, {"v.0", mx::zeros({2})}};
    CHECK_THROWS_AS(optimizer->restore(wrong, {&x, 1}, 3), Error);
    CHECK_THROWS_AS(make_optimizer("sgdw", {}), Error);
    CHECK(optimizer_names().front() == "adamw");
  }
}

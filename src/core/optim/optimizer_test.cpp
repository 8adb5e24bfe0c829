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

  TEST_CASE("every optimizer comes near the minimum of a bowl") {
    for (const std::string& name : optimizer_names()) {
      CAPTURE(name);
      const auto optimizer = make_optimizer(name, {});
      const mx::array x = minimise(*optimizer, mx::zeros({3}), 400, 0.02);
      CHECK(x.data<float>()[0] == doctest::Approx(1.0f).epsilon(0.05));
      CHECK(x.data<float>()[1] == doctest::Approx(-2.0f).epsilon(0.05));
      CHECK(x.data<float>()[2] == doctest::Approx(3.0f).epsilon(0.05));
    }
  }

  TEST_CASE("a first moment in 8 bits ends near the one in f32") {
    const mx::array start = mx::random::normal({30, 70}, mx::float32, mx::random::key(1));
    std::vector<mx::array> ends;
    for (const char* name : {"adamw", "adamw8bit"}) {
      const auto optimizer = make_optimizer(name, {});
      mx::array x = start;
      for (uint64_t i = 0; i < 50; ++i) {
        const mx::array noise = mx::random::normal(x.shape(), mx::float32, mx::random::key(i));
        const mx::array gradient = mx::add(x, noise);
        x = optimizer->step({&x, 1}, {&gradient, 1}, {.learning_rate = 0.01}).parameters[0];
        mx::eval(x);
      }
      ends.push_back(x);
    }
    const mx::array moved = mx::sqrt(mx::mean(mx::square(mx::subtract(ends[0], start))));
    const mx::array apart = mx::sqrt(mx::mean(mx::square(mx::subtract(ends[0], ends[1]))));
    CHECK(mx::array(apart).item<float>() < 0.02f * mx::array(moved).item<float>());
  }

  TEST_CASE("state saved and restored gives the same steps bit for bit") {
    for (const std::string& name : optimizer_names()) {
      CAPTURE(name);
      const OptimizerSettings settings{.momentum = 0.9};
      const auto whole = make_optimizer(name, settings);
      const mx::array expected = minimise(*whole, mx::zeros({3}), 10, 0.1);
      const auto first = make_optimizer(name, settings);
      const mx::array half = minimise(*first, mx::zeros({3}), 5, 0.1);
      const auto second = make_optimizer(name, settings);
      second->restore(first->state(), {&half, 1}, first->steps_done());
      const mx::array found = minimise(*second, half, 5, 0.1);
      CHECK(mx::array_equal(found, expected).item<bool>());
    }
  }

  TEST_CASE("a gradient that is not finite changes nothing and its norm says so") {
    for (const std::string& name : optimizer_names()) {
      CAPTURE(name);
      const auto optimizer = make_optimizer(name, {.weight_decay = 0.1});
      const std::vector<mx::array> x{mx::array({1.0f, 2.0f}), mx::full({3, 2}, 0.5f)};
      const std::vector<mx::array> good{mx::array({1.0f, -1.0f}), mx::full({3, 2}, 0.1f)};
      const std::vector<mx::array> bad{mx::array({1.0f, std::numeric_limits<float>::quiet_NaN()}),
                                       good[1]};
      const StepInputs inputs{.learning_rate = 0.1, .max_norm = 1.0};
      const std::vector<mx::array> once = optimizer->step(x, good, inputs).parameters;
      const auto state = optimizer->state();
      const StepResult result = optimizer->step(once, bad, inputs);
      CHECK_FALSE(std::isfinite(mx::array(result.gradient_norm).item<float>()));
      for (size_t i = 0; i < x.size(); ++i)
        CHECK(mx::array_equal(result.parameters[i], once[i]).item<bool>());
      for (const auto& [slot, array] : optimizer->state())
        CHECK(mx::array_equal(array, state.at(slot)).item<bool>());
      optimizer->undo_count();
      CHECK(optimizer->steps_done() == 1);
    }
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
    CHECK_THROWS_AS(make_optimizer("sgd", {.nesterov = true}), Error);
    CHECK(optimizer_names().front() == "adamw");
  }
}

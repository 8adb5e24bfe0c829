#include "core/tensor/optimizer_update.h"

#include <limits>

#include "core/base/error.h"
#include "core/tensor/compare_test.h"

namespace toolkit::tensor::test {

namespace {

const std::pair<const char*, UpdateRule> kRules[] = {
    {"adamw", AdamwRule{}},
    {"adamw late", AdamwRule{.beta1 = 0.8f, .beta2 = 0.95f, .eps = 1e-6f, .step = 17}},
    {"adamw 8 bit", Adamw8bitRule{{.step = 3}}},
    {"lion", LionRule{}},
    {"sgd", SgdRule{}},
    {"sgd with momentum", SgdRule{.momentum = 0.9f}},
    {"nesterov", SgdRule{.momentum = 0.9f, .nesterov = true}},
};

// State as it is after some steps.
std::vector<mx::array> random_state(const UpdateRule& rule, const mx::Shape& shape, int seed) {
  const mx::array m = random_array(shape, seed, 0.01f);
  const mx::array v = mx::square(random_array(shape, seed + 1, 0.01f));
  if (std::holds_alternative<Adamw8bitRule>(rule)) {
    const auto blocks = static_cast<int>((m.size() + kMomentBlock - 1) / kMomentBlock);
    return {mx::astype(mx::round(mx::multiply(m, mx::array(3000.0f))), mx::int8),
            mx::full({blocks}, 0.0003f), v};
  }
  if (std::holds_alternative<AdamwRule>(rule)) return {m, v};
  if (const auto* sgd = std::get_if<SgdRule>(&rule); sgd && sgd->momentum == 0.0f) return {};
  return {m};
}

std::vector<TensorUpdate> random_updates(const UpdateRule& rule) {
  std::vector<TensorUpdate> updates;
  int seed = 0;
  for (const mx::Shape& shape : {mx::Shape{3}, {8, 576}, {1}, {70, 300}, {65}}) {
    updates.push_back({.parameter = random_array(shape, ++seed),
                       .gradient = random_array(shape, ++seed, 0.01f),
                       .state = random_state(rule, shape, seed += 2),
                       .learning_rate = seed % 3 == 0 ? 1e-2f : 2e-3f,
                       .weight_decay = seed % 2 == 0 ? 0.1f : 0.0f});
  }
  for (TensorUpdate& update : updates) {
    mx::eval(update.parameter, update.gradient);
    mx::eval(update.state);
  }
  return updates;
}

Arrays gradients_of(const std::vector<TensorUpdate>& updates) {
  Arrays gradients;
  for (const TensorUpdate& update : updates) gradients.push_back(update.gradient);
  return gradients;
}

// All parameters and states after the step, then the norm; codes as floats.
Arrays step(const std::vector<TensorUpdate>& updates, const UpdateRule& rule, float scale = 1.0f,
            float max_norm = 0.0f) {
  const mx::array norm = gradient_norm(gradients_of(updates), scale);
  Arrays all;
  for (const UpdatedTensor& updated :
       optimizer_update(updates, rule, {.norm = norm, .scale = scale, .max_norm = max_norm})) {
    all.push_back(updated.parameter);
    for (const mx::array& state : updated.state)
      all.push_back(state.dtype() == mx::int8 ? mx::astype(state, mx::float32) : state);
  }
  all.push_back(norm);
  mx::eval(all);
  return all;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("every rule equals the plain graph: decay and rate of each tensor, scaling, clipping") {
    for (const auto& [name, rule] : kRules) {
      CAPTURE(name);
      const std::vector<TensorUpdate> updates = random_updates(rule);
      // A code may fall on the other side of a half.
      const float tolerance = std::holds_alternative<Adamw8bitRule>(rule) ? 0.02f : 2e-5f;
      compare_with_plain([&](const Arrays&) { return step(updates, rule); }, {}, 0, tolerance);
      compare_with_plain([&](const Arrays&) { return step(updates, rule, 0.25f, 0.05f); }, {}, 0,
                         tolerance);
    }
  }

  TEST_CASE("a NaN or Inf gradient changes nothing and shows in the norm") {
    for (const auto& [name, rule] : kRules) {
      for (const float bad :
           {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        CAPTURE(name);
        std::vector<TensorUpdate> updates = random_updates(rule);
        updates[1].gradient = mx::where(mx::greater(updates[1].gradient, mx::array(0.02f)),
                                        mx::array(bad), updates[1].gradient);
        const mx::array norm = gradient_norm(gradients_of(updates), 1.0f);
        const auto after = optimizer_update(updates, rule, {.norm = norm});
        CHECK_FALSE(std::isfinite(mx::array(norm).item<float>()));
        for (size_t i = 0; i < updates.size(); ++i) {
          CHECK(mx::array_equal(after[i].parameter, updates[i].parameter).item<bool>());
          for (size_t k = 0; k < updates[i].state.size(); ++k)
            CHECK(mx::array_equal(after[i].state[k], updates[i].state[k]).item<bool>());
        }
      }
    }
  }

  TEST_CASE("buffers that nobody else holds are written in place") {
    if (!use_cpu_kernels()) {
      MESSAGE("SKIPPED: the plain graph does not work in place");
      return;
    }
    const UpdateRule rule = AdamwRule{};
    std::vector<TensorUpdate> updates = random_updates(rule);
    const float* before = updates[1].state[0].data<float>();
    const mx::array kept = updates[1].parameter;
    const mx::array copy = mx::add(kept, mx::array(0.0f));
    mx::eval(copy);
    const mx::array norm = gradient_norm(gradients_of(updates), 1.0f);
    auto after = optimizer_update(std::move(updates), rule, {.norm = norm});
    updates.clear();
    mx::eval(after[1].parameter);
    CHECK(after[1].state[0].data<float>() == before);
    CHECK(after[1].parameter.data<float>() != kept.data<float>());
    CHECK(mx::array_equal(kept, copy).item<bool>());
  }

  TEST_CASE("gradients are added in place where nobody else holds the sums") {
    const Arrays first = gradients_of(random_updates(SgdRule{}));
    const Arrays second{random_array({3}, 50), random_array({8, 576}, 51), random_array({1}, 52),
                        random_array({70, 300}, 53), random_array({65}, 54)};
    Arrays sums;
    for (const mx::array& gradient : first) sums.push_back(mx::add(gradient, mx::array(0.0f)));
    mx::eval(sums);
    const float* before = sums[3].data<float>();
    sums = add_gradients(std::move(sums), second);
    mx::eval(sums);
    for (size_t i = 0; i < sums.size(); ++i)
      CHECK(mx::array_equal(sums[i], mx::add(first[i], second[i])).item<bool>());
    if (use_cpu_kernels()) CHECK(sums[3].data<float>() == before);
    CHECK_THROWS_AS(add_gradients(sums, Arrays{first[1]}), Error);
  }

  TEST_CASE("a gradient or state of another shape is refused") {
    std::vector<TensorUpdate> updates = random_updates(AdamwRule{});
    updates[0].gradient = mx::zeros({4});
    CHECK_THROWS_WITH_AS(optimizer_update(updates, AdamwRule{}, {.norm = mx::array(1.0f)}),
                         doctest::Contains("(3) float32, but its gradient is (4)"), Error);
    CHECK_THROWS_AS(
        optimizer_update(random_updates(LionRule{}), AdamwRule{}, {.norm = mx::array(1.0f)}),
        Error);
  }
}

}  // namespace toolkit::tensor::test

#include "core/tensor/cross_entropy.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <string>

#include "core/tensor/plain/plain.h"
#include "mlx/mlx.h"
#include "mlx/primitives.h"

using namespace toolkit::tensor;

namespace {

mx::array noise(mx::Shape shape, int seed, float size = 1.0f) {
  return mx::multiply(mx::random::normal(shape, mx::float32, 0.0f, 1.0f, mx::random::key(seed)),
                      mx::array(size));
}

float largest_difference(const mx::array& got, const mx::array& expected) {
  REQUIRE(got.shape() == expected.shape());
  return mx::max(mx::abs(mx::subtract(got, expected))).item<float>();
}

struct Head {
  Weight packed;
  Weight dense;  // the same numbers in f32
};

Head make_head(int vocabulary, int width, int bits, mx::Dtype type) {
  const mx::array w = mx::astype(noise({vocabulary, width}, 7, 0.3f), type);
  if (bits == 0) return {{.data = w}, {.data = mx::astype(w, mx::float32)}};
  const std::vector<mx::array> q = mx::quantize(w, 32, bits);
  Weight packed{.data = q[0], .scales = q[1], .biases = q[2], .group_size = 32, .bits = bits};
  const mx::array wide =
      mx::dequantize(q[0], mx::astype(q[1], mx::float32), mx::astype(q[2], mx::float32), 32, bits);
  return {packed, {.data = wide}};
}

using Function = std::function<mx::array(const std::vector<mx::array>&)>;

/// Losses, and the gradient of a weighted sum of them, against the plain graph.
void compare(int tokens, int vocabulary, const Head& head, const CrossEntropyOptions& options,
             bool bias = false) {
  CAPTURE(tokens);
  CAPTURE(vocabulary);
  const int width = head.dense.columns();
  const mx::array hidden = noise({tokens, width}, 1), weights = noise({tokens}, 2),
                  offsets = noise({vocabulary}, 4);
  const mx::array targets =
      mx::random::randint(0, vocabulary, {tokens}, mx::int32, mx::random::key(3));
  const auto losses = [&](bool plain, const mx::array& x) {
    LinearTerms terms{.weight = plain ? &head.dense : &head.packed,
                      .bias = bias ? &offsets : nullptr};
    return plain ? plain::linear_cross_entropy(x, terms, targets, options)
                 : linear_cross_entropy(x, terms, targets, options);
  };
  const auto total = [&](bool plain) -> Function {
    return [&, plain](const std::vector<mx::array>& p) {
      return mx::sum(mx::multiply(losses(plain, p[0]), weights));
    };
  };
  CHECK(largest_difference(losses(false, hidden), losses(true, hidden)) < 2e-5f * 10);
  const mx::array got = mx::grad(total(false))({hidden})[0],
                  expected = mx::grad(total(true))({hidden})[0];
  CHECK(largest_difference(got, expected) <
        2e-5f * std::max(1.0f, mx::max(mx::abs(expected)).item<float>()));
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("cross entropy: losses and gradients equal the plain graph") {
    for (const int vocabulary : {5, 256, 300, 1111})
      for (const int tokens : {1, 2, 13, 70})
        compare(tokens, vocabulary, make_head(vocabulary, 64, 0, mx::float32), {});
    compare(40, 777, make_head(777, 96, 8, mx::float16), {});
    compare(40, 777, make_head(777, 96, 4, mx::bfloat16), {});
    compare(19, 600, make_head(600, 48, 0, mx::bfloat16), {}, /*bias=*/true);
    compare(450, 520, make_head(520, 32, 8, mx::float32), {});
  }

  TEST_CASE("cross entropy: soft cap, scaled logits, label smoothing") {
    const Head head = make_head(700, 64, 8, mx::float16);
    compare(21, 700, head, {.logit_scale = 0.25f});
    compare(21, 700, head, {.softcap = 3.0f});
    compare(21, 700, head, {.label_smoothing = 0.1f});
    compare(21, 700, head, {.softcap = 5.0f, .logit_scale = 1.5f, .label_smoothing = 0.05f}, true);
  }

  TEST_CASE("cross entropy: int8 stays close to exact arithmetic") {
    const Head head = make_head(700, 128, 8, mx::float16);
    const auto prepared = prepare(head.packed, Compute::kInt8);
    const mx::array hidden = noise({40, 128}, 1, 0.5f);
    const mx::array targets = mx::random::randint(0, 700, {40}, mx::int32, mx::random::key(3));
    for (const float softcap : {0.0f, 8.0f}) {
      const auto run = [&](Compute compute) -> Function {
        return [&, compute](const std::vector<mx::array>& p) {
          return mx::mean(linear_cross_entropy(p[0],
                                               {.weight = &head.packed, .prepared = prepared.get()},
                                               targets, {.softcap = softcap}, compute));
        };
      };
      mx::array exact = run(Compute::kFloat32)({hidden}), got = run(Compute::kInt8)({hidden});
      CHECK(largest_difference(got, exact) < 0.01f * exact.item<float>());
      const mx::array slopes = mx::grad(run(Compute::kFloat32))({hidden})[0];
      const mx::array error = mx::subtract(mx::grad(run(Compute::kInt8))({hidden})[0], slopes);
      CHECK(mx::mean(mx::square(error)).item<float>() <
            9e-4f * mx::mean(mx::square(slopes)).item<float>());
    }
  }

  TEST_CASE("cross entropy: large logits do not overflow, whichever tile holds the largest") {
    const Head head = make_head(600, 32, 0, mx::float32);
    const mx::array hidden = noise({9, 32}, 1, 60.0f);
    const mx::array targets = mx::array({0, 599, 300, 5, 257, 255, 256, 1, 2}, mx::int32);
    const LinearTerms terms{.weight = &head.packed};
    const mx::array got = linear_cross_entropy(hidden, terms, targets);
    const mx::array expected = plain::linear_cross_entropy(hidden, terms, targets, {});
    CHECK(largest_difference(got, expected) < 1e-2f);
    CHECK(std::isfinite(mx::sum(got).item<float>()));
  }

  TEST_CASE(
      "cross entropy: a NaN hidden row gives a NaN loss, a target outside the vocabulary too") {
    const Head head = make_head(300, 32, 0, mx::float32);
    const LinearTerms terms{.weight = &head.packed};
    const mx::array hidden = mx::full({2, 32}, std::nanf(""));
    CHECK(std::isnan(mx::sum(linear_cross_entropy(hidden, terms, mx::array({1, 299}, mx::int32)))
                         .item<float>()));
    if (use_cpu_kernels()) {
      const mx::array losses =
          linear_cross_entropy(noise({2, 32}, 1), terms, mx::array({-1, 300}, mx::int32));
      CHECK(mx::all(mx::isnan(losses)).item<bool>());
    }
  }

  TEST_CASE("cross entropy: a dense head that learns gets its gradient") {
    const auto check = [](int tokens, int vocabulary, const CrossEntropyOptions& options) {
      CAPTURE(tokens);
      CAPTURE(vocabulary);
      const mx::array hidden = noise({tokens, 24}, 1), weights = noise({vocabulary, 24}, 2),
                      factors = noise({tokens}, 4);
      const mx::array targets =
          mx::random::randint(0, vocabulary, {tokens}, mx::int32, mx::random::key(3));
      const auto total = [&](bool plain) -> Function {
        return [&, plain](const std::vector<mx::array>& p) {
          const Weight head{.data = p[1]};
          const LinearTerms terms{.weight = &head};
          return mx::sum(mx::multiply(
              factors, plain ? plain::linear_cross_entropy(p[0], terms, targets, options)
                             : linear_cross_entropy(p[0], terms, targets, options)));
        };
      };
      const std::vector<mx::array> got = mx::grad(total(false), {0, 1})({hidden, weights});
      const std::vector<mx::array> expected = mx::grad(total(true), {0, 1})({hidden, weights});
      for (size_t i = 0; i < 2; ++i) CHECK(largest_difference(got[i], expected[i]) < 1e-4f);
      const mx::array alone = mx::grad(total(false), {1})({hidden, weights})[0];
      CHECK(largest_difference(alone, expected[1]) < 1e-4f);
    };
    check(11, 50, {});
    check(1, 256, {});
    check(40, 700, {.logit_scale = 0.5f});
    check(300, 257, {});
    check(13, 50, {.softcap = 3.0f, .label_smoothing = 0.1f});
  }
}

#include "core/tensor/linear.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <string>

#include "core/tensor/plain/plain.h"
#ifdef TOOLKIT_CPU_KERNELS
#include "core/tensor/cpu/kernel_target.h"
#endif
#include "mlx/mlx.h"
#include "mlx/primitives.h"

using namespace toolkit::tensor;

namespace {

float largest_difference(const mx::array& got, const mx::array& expected) {
  REQUIRE(got.shape() == expected.shape());
  return mx::max(
             mx::abs(mx::subtract(mx::astype(got, mx::float32), mx::astype(expected, mx::float32))))
      .item<float>();
}

float largest(const mx::array& x) {
  return mx::max(mx::abs(mx::astype(x, mx::float32))).item<float>();
}

/// Relative to the largest element: sums of different order.
void check_close(const mx::array& got, const mx::array& expected, float tolerance = 2e-5f) {
  CHECK(largest_difference(got, expected) <= tolerance * std::max(1.0f, largest(expected)));
}

mx::array noise(mx::Shape shape, int seed, float size = 1.0f) {
  return mx::multiply(mx::random::normal(shape, mx::float32, 0.0f, 1.0f, mx::random::key(seed)),
                      mx::array(size));
}

struct Form {
  std::string name;
  int bits = 0, group = 0;
  mx::Dtype type = mx::float32;
};

Weight make_weight(int rows, int columns, const Form& form, int seed) {
  const mx::array dense = noise({rows, columns}, seed, 0.3f);
  Weight weight{.data = mx::astype(dense, form.type)};
  if (form.bits == 0) return weight;
  const std::vector<mx::array> packed =
      mx::quantize(mx::astype(dense, form.type), form.group, form.bits);
  weight = {.data = packed[0],
            .scales = packed[1],
            .biases = packed[2],
            .group_size = form.group,
            .bits = form.bits};
  mx::eval(weight.data, *weight.scales, *weight.biases);
  return weight;
}

/// Dense f32 copy, so that the plain graph computes without rounding to f16.
Weight exact(const Weight& weight) {
  return {
      .data = dequantized(
          Weight{.data = weight.data,
                 .scales = weight.scales ? std::optional(mx::astype(*weight.scales, mx::float32))
                                         : std::nullopt,
                 .biases = weight.biases ? std::optional(mx::astype(*weight.biases, mx::float32))
                                         : std::nullopt,
                 .group_size = weight.group_size,
                 .bits = weight.bits},
          mx::float32)};
}

struct Case {
  int tokens, columns;
  std::vector<int> rows;   // one per map
  std::vector<int> ranks;  // 0: no LoRA
  bool bias = false;
};

/// Values and gradients of a group of maps against the plain graph.
void compare(const Case& c, const Form& form) {
  CAPTURE(form.name);
  CAPTURE(c.tokens);
  CAPTURE(c.columns);
  std::vector<Weight> weights, reference;
  std::vector<mx::array> biases, parameters = {noise({c.tokens, c.columns}, 1)};
  for (size_t i = 0; i < c.rows.size(); ++i) {
    weights.push_back(make_weight(c.rows[i], c.columns, form, 10 + static_cast<int>(i)));
    reference.push_back(exact(weights.back()));
    biases.push_back(noise({c.rows[i]}, 20 + static_cast<int>(i)));
    if (c.ranks[i] == 0) continue;
    parameters.push_back(noise({c.columns, c.ranks[i]}, 30 + static_cast<int>(i), 0.1f));
    parameters.push_back(noise({c.ranks[i], c.rows[i]}, 40 + static_cast<int>(i), 0.1f));
  }
  const auto run = [&](bool plain) {
    return [&, plain](const std::vector<mx::array>& p) {
      std::vector<LoraBranch> branches;
      for (size_t i = 0, next = 1; i < c.rows.size(); ++i) {
        branches.push_back({p[0], p[0], 0.5f});
        if (c.ranks[i] > 0) branches.back() = {p[next], p[next + 1], 0.5f}, next += 2;
      }
      std::vector<LinearTerms> maps;
      for (size_t i = 0; i < c.rows.size(); ++i)
        maps.push_back({.weight = plain ? &reference[i] : &weights[i],
                        .bias = c.bias ? &biases[i] : nullptr,
                        .lora = c.ranks[i] > 0 ? &branches[i] : nullptr});
      const std::vector<mx::array> y =
          plain ? plain::linear_group(p[0], maps) : linear_group(p[0], maps);
      mx::array loss = mx::array(0.0f);
      for (size_t i = 0; i < y.size(); ++i)
        loss = mx::add(loss,
                       mx::sum(mx::multiply(y[i], noise(y[i].shape(), 50 + static_cast<int>(i)))));
      std::vector<mx::array> all = y;
      all.insert(all.begin(), loss);
      return all;
    };
  };
  std::vector<int> wanted;
  for (size_t i = 0; i < parameters.size(); ++i) wanted.push_back(static_cast<int>(i));
  const auto got = mx::value_and_grad(run(false), wanted)(parameters);
  const auto expected = mx::value_and_grad(run(true), wanted)(parameters);
  for (size_t i = 1; i < expected.first.size(); ++i) check_close(got.first[i], expected.first[i]);
  for (size_t i = 0; i < expected.second.size(); ++i) {
    CAPTURE(i);
    check_close(got.second[i], expected.second[i]);
  }
}

/// Root mean square of the difference, relative to that of what is expected.
float relative_error(const mx::array& got, const mx::array& expected) {
  REQUIRE(got.shape() == expected.shape());
  const mx::array error = mx::mean(mx::square(mx::subtract(got, expected)));
  return std::sqrt(mx::divide(error, mx::mean(mx::square(expected))).item<float>());
}

/// Rounded arithmetic against exact arithmetic on the same weights: values, and gradients of x and
/// of the LoRA factors.
void compare_rounded(const Case& c, const Form& form, Compute compute, float bound) {
  std::vector<Weight> weights;
  std::vector<std::shared_ptr<const PreparedWeight>> prepared;
  std::vector<mx::array> biases, inputs = {noise({c.tokens, c.columns}, 1)};
  for (size_t i = 0; i < c.rows.size(); ++i) {
    const int seed = static_cast<int>(i), rank = std::max(1, c.ranks[i]);
    weights.push_back(make_weight(c.rows[i], c.columns, form, 10 + seed));
    prepared.push_back(prepare(weights[i], compute));
    biases.push_back(noise({c.rows[i]}, 20 + seed));
    if (c.ranks[i] == 0) continue;
    inputs.push_back(noise({c.columns, rank}, 30 + seed, 0.1f));
    inputs.push_back(noise({rank, c.rows[i]}, 40 + seed, 0.1f));
  }
  const auto run = [&](Compute arithmetic) {
    return [&, arithmetic](const std::vector<mx::array>& given) {
      std::vector<LoraBranch> branches;
      for (size_t next = 1; next < given.size(); next += 2)
        branches.push_back({given[next], given[next + 1], 0.5f});
      std::vector<LinearTerms> maps;
      for (size_t i = 0, branch = 0; i < c.rows.size(); ++i)
        maps.push_back({.weight = &weights[i],
                        .prepared = prepared[i].get(),
                        .bias = c.bias ? &biases[i] : nullptr,
                        .lora = c.ranks[i] > 0 ? &branches[branch++] : nullptr});
      return std::vector{mx::concatenate(linear_group(given[0], maps, arithmetic), 1)};
    };
  };
  int width = 0;
  for (const int rows : c.rows) width += rows;
  const std::vector<mx::array> cotangents = {noise({c.tokens, width}, 2)};
  const auto exact = mx::vjp(run(Compute::kFloat32), inputs, cotangents);
  const auto rounded = mx::vjp(run(compute), inputs, cotangents);
  CHECK(relative_error(rounded.first[0], exact.first[0]) < bound);
  for (size_t i = 0; i < inputs.size(); ++i) {
    CAPTURE(i);
    CHECK(relative_error(rounded.second[i], exact.second[i]) < bound);
  }
  if (prepared[0] && use_cpu_kernels())
    CHECK(relative_error(rounded.first[0], exact.first[0]) > 0.0f);
}

void compare_int8(const Case& c, const Form& form) {
  compare_rounded(c, form, Compute::kInt8, 0.02f);
}

const std::vector<Form> kForms = {
    {"f32", 0, 0, mx::float32},          {"f16", 0, 0, mx::float16},
    {"bf16", 0, 0, mx::bfloat16},        {"q4/32 f16", 4, 32, mx::float16},
    {"q4/64 bf16", 4, 64, mx::bfloat16}, {"q4/128 f32", 4, 128, mx::float32},
    {"q8/32 f16", 8, 32, mx::float16},   {"q8/64 f32", 8, 64, mx::float32},
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("linear: values and gradients equal the plain graph for every weight form") {
    for (const Form& form : kForms) {
      compare({.tokens = 37, .columns = 128, .rows = {64}, .ranks = {0}}, form);
      compare(
          {.tokens = 26, .columns = 256, .rows = {96, 40, 40}, .ranks = {8, 4, 0}, .bias = true},
          form);
    }
  }

  TEST_CASE("linear: every number of rows up to several tiles") {
    for (int tokens = 1; tokens <= 26; ++tokens)
      compare({.tokens = tokens, .columns = 64, .rows = {72}, .ranks = {3}}, kForms[3]);
  }

  TEST_CASE("linear: the plain graph multiplies packed weights in the input's type") {
    use_plain_graph(true);
    const Weight weight =
        make_weight(48, 64, {.name = "q4 f16", .bits = 4, .group = 32, .type = mx::float16}, 3);
    const mx::array x = noise({5, 64}, 4);
    const mx::array a = noise({64, 4}, 5, 0.2f), b = noise({4, 48}, 6, 0.2f);
    const LoraBranch lora{.a = a, .b = b, .scale = 2.0f};
    const mx::array wanted = linear(x, {.weight = &weight, .lora = &lora});
    const auto prepared = prepare(weight, Compute::kBFloat16);
    REQUIRE(prepared);
    const mx::array found =
        linear(mx::astype(x, mx::bfloat16),
               {.weight = &weight, .prepared = prepared.get(), .lora = &lora}, Compute::kBFloat16);
    CHECK(activation_type(Compute::kBFloat16) == mx::bfloat16);
    CHECK(activation_type(Compute::kFloat32) == mx::float32);
    use_plain_graph(false);
    CHECK(found.dtype() == mx::bfloat16);
    check_close(found, wanted, 0.02f);
  }

  TEST_CASE("linear: a packed weight expanded for one product, values and gradient") {
    for (const Form& form : kForms) {
      if (form.bits == 0) continue;
      const Weight weight = make_weight(48, 128, form, 3);
      Weight packed = weight;
      packed.scales = mx::astype(*weight.scales, mx::float32);
      packed.biases = mx::astype(*weight.biases, mx::float32);
      const auto run = [&](bool expanded) {
        const auto function = [&](const std::vector<mx::array>& in) {
          return std::vector<mx::array>{
              expanded ? plain::expanded_product(in[0], packed)
                       : mx::matmul(in[0], mx::transpose(dequantized(weight, mx::float32)))};
        };
        auto [values, gradients] =
            mx::vjp(function, {noise({2, 9, 128}, 4)}, {noise({2, 9, 48}, 5)});
        return std::pair{values[0], gradients[0]};
      };
      const auto [value, gradient] = run(true);
      const auto [wanted, wanted_gradient] = run(false);
      check_close(value, wanted);
      check_close(gradient, wanted_gradient);
    }
  }

  TEST_CASE("linear: a few inputs, as in generation, for every weight form") {
    for (const Form& form : kForms)
      for (const int tokens : {1, 2, 3, 4, 5, 8})
        compare({.tokens = tokens, .columns = 384, .rows = {50, 33}, .ranks = {4, 0}, .bias = true},
                form);
  }

#ifdef TOOLKIT_CPU_KERNELS
  TEST_CASE("linear: every instruction set this machine has gives the same") {
    const std::string before = cpu::kernel_target();
    for (const std::string& target : cpu::kernel_targets()) {
      CAPTURE(target);
      cpu::force_kernel_target(target);
      for (const Form& form : kForms)
        for (const int tokens : {1, 6, 29})
          compare(
              {.tokens = tokens, .columns = 256, .rows = {96, 40}, .ranks = {8, 0}, .bias = true},
              form);
      compare({.tokens = 14, .columns = 33, .rows = {47}, .ranks = {2}}, kForms[0]);
    }
    cpu::force_kernel_target(before);
  }
#endif

  TEST_CASE("linear: sums longer than one pass, and several terms in a pass") {
    for (const Form& form : {kForms[0], kForms[3], kForms[7]}) {
      compare({.tokens = 30, .columns = 1536, .rows = {100, 1500}, .ranks = {8, 8}, .bias = true},
              form);
      compare({.tokens = 300, .columns = 832, .rows = {33}, .ranks = {16}}, form);
    }
  }

  TEST_CASE("linear: odd shapes of dense weights") {
    for (const int columns : {1, 3, 17, 31, 33})
      for (const int rows : {1, 5, 16, 47})
        compare({.tokens = 5, .columns = columns, .rows = {rows}, .ranks = {2}}, kForms[0]);
  }

  TEST_CASE("linear: int8 stays within the error of its rounding, forward and backward") {
    for (const Form& form : kForms) {
      CAPTURE(form.name);
      compare_int8({.tokens = 37, .columns = 256, .rows = {96, 40}, .ranks = {8, 0}, .bias = true},
                   form);
    }
    compare_int8({.tokens = 100, .columns = 576, .rows = {200}, .ranks = {4}}, kForms[3]);
    compare_int8({.tokens = 13, .columns = 33, .rows = {17, 65}, .ranks = {0, 3}}, kForms[0]);
  }

  TEST_CASE("linear: bf16 stays within the error of its rounding, forward and backward") {
    const auto compare_bf16 = [](const Case& c, const Form& form) {
      compare_rounded(c, form, Compute::kBFloat16, 0.006f);
    };
    for (const Form& form : kForms) {
      CAPTURE(form.name);
      compare_bf16({.tokens = 37, .columns = 256, .rows = {96, 40}, .ranks = {8, 0}, .bias = true},
                   form);
      compare_bf16({.tokens = 174, .columns = 640, .rows = {192, 576}, .ranks = {0, 8}}, form);
    }
    for (const int tokens : {9, 16, 17, 32, 33, 64})
      compare_bf16({.tokens = tokens, .columns = 1536, .rows = {72}, .ranks = {3}}, kForms[3]);
    compare_bf16({.tokens = 100, .columns = 64, .rows = {72, 40}, .ranks = {20, 48}}, kForms[3]);
    compare_bf16({.tokens = 13, .columns = 33, .rows = {17, 65}, .ranks = {0, 3}}, kForms[0]);
  }

#ifdef TOOLKIT_CPU_KERNELS
  TEST_CASE("linear: bf16 is rounded where the processor multiplies it faster") {
    const Weight weight = make_weight(64, 96, kForms[3], 3);
    const mx::array x = noise({30, 96}, 1);
    const auto value = [&](Compute compute) { return linear(x, {.weight = &weight}, compute); };
    const float error = relative_error(value(Compute::kBFloat16), value(Compute::kFloat32));
    CHECK((error > 0.0f) == (cpu_kernel_target() == "AMX"));
  }

  TEST_CASE("linear: int8 without its special instructions gives the same numbers") {
    const std::string before = cpu::kernel_target();
    for (const auto& [rows, columns] : {std::pair{77, 96}, {192, 576}, {200, 1536}, {40, 1024}}) {
      const Weight weight = make_weight(rows, columns, kForms[3], 3);
      const auto prepared = prepare(weight, Compute::kInt8);
      if (!prepared) return;
      std::vector<mx::array> values, gradients;
      for (const std::string& target : cpu::kernel_targets()) {
        CAPTURE(target);
        CAPTURE(columns);
        cpu::force_kernel_target(target);
        const auto run = [&](const mx::array& x) {
          return linear(x, {.weight = &weight, .prepared = prepared.get()}, Compute::kInt8);
        };
        const mx::array x = noise({174, columns}, 1);
        values.push_back(run(x));
        gradients.push_back(mx::vjp(run, x, noise({174, rows}, 2)).second);
        mx::eval(values.back(), gradients.back());
        check_close(values.back(), values.front(), 1e-6f);
        check_close(gradients.back(), gradients.front(), 1e-6f);
      }
    }
    cpu::force_kernel_target(before);
  }
#endif

  TEST_CASE("linear: int8 keeps its steps where a few columns are far larger than the rest") {
    const Weight weight = make_weight(96, 512, kForms[3], 3);
    const auto prepared = prepare(weight, Compute::kInt8);
    if (!prepared) return;
    mx::array x = noise({40, 512}, 1);
    for (const int column : {17, 20})
      x = mx::slice_update(x, noise({40, 1}, column, 100.0f), mx::Shape{0, column},
                           mx::Shape{40, column + 1});
    // What the other columns give, which is all that tells most tokens apart.
    const mx::array rest =
        mx::slice_update(x, mx::zeros({40, 64}), mx::Shape{0, 0}, mx::Shape{40, 64});
    const auto run = [&](const mx::array& input, Compute compute) {
      return linear(input, {.weight = &weight, .prepared = prepared.get()}, compute);
    };
    CHECK(relative_error(run(x, Compute::kInt8), run(x, Compute::kFloat32)) < 0.02f);
    const mx::array outliers = mx::subtract(x, rest);
    const mx::array others = mx::subtract(run(x, Compute::kInt8), run(outliers, Compute::kInt8));
    CHECK(relative_error(others, run(rest, Compute::kFloat32)) < 0.015f);
  }

  TEST_CASE("linear: int8 gradients point where exact ones do, whatever the size of rows") {
    const Weight weight = make_weight(192, 128, kForms[3], 3);
    const auto prepared = prepare(weight, Compute::kInt8);
    const mx::array x = noise({50, 128}, 1);
    mx::array dy = mx::multiply(noise({50, 192}, 2), mx::exp(noise({50, 1}, 3, 4.0f)));
    dy = mx::multiply(dy, mx::exp(noise({1, 192}, 4)));
    const auto gradient = [&](Compute compute) {
      const auto run = [&](const mx::array& input) {
        return linear(input, {.weight = &weight, .prepared = prepared.get()}, compute);
      };
      return mx::vjp(run, x, dy).second;
    };
    const mx::array got = gradient(Compute::kInt8), expected = gradient(Compute::kFloat32);
    const auto dot = [](const mx::array& a, const mx::array& b) {
      return mx::sum(mx::multiply(a, b), 1);
    };
    const mx::array cosine = mx::divide(
        dot(got, expected), mx::sqrt(mx::multiply(dot(got, got), dot(expected, expected))));
    CHECK(mx::min(cosine).item<float>() > 0.999f);
  }

  TEST_CASE("linear: int8 does not hide a NaN") {
    const Weight weight = make_weight(40, 64, kForms[0], 3);
    const auto prepared = prepare(weight, Compute::kInt8);
    const mx::array y = linear(mx::full({20, 64}, std::nanf("")),
                               {.weight = &weight, .prepared = prepared.get()}, Compute::kInt8);
    CHECK(mx::all(mx::isnan(y)).item<bool>());
  }

  TEST_CASE("linear: inputs with gaps, more dimensions and other types") {
    const Weight weight = make_weight(48, 64, kForms[3], 3), dense = exact(weight);
    const LinearTerms ours{.weight = &weight}, plain_terms{.weight = &dense};
    const mx::array x = mx::transpose(noise({64, 4, 3}, 1), {2, 1, 0});
    check_close(linear(x, ours), plain::linear_group(x, {&plain_terms, 1})[0]);
    const mx::array sliced = mx::slice(noise({6, 128}, 2), {0, 32}, {6, 96});
    check_close(linear(sliced, ours), plain::linear_group(sliced, {&plain_terms, 1})[0]);
    const mx::array half = mx::astype(x, mx::bfloat16);
    CHECK(linear(half, ours).dtype() == mx::bfloat16);
    check_close(linear(half, ours),
                plain::linear_group(mx::astype(half, mx::float32), {&plain_terms, 1})[0], 0.01f);
  }

  TEST_CASE("linear: gradients of a dense weight and its bias") {
    const mx::array x = noise({2, 7, 24}, 1), weights = noise({10, 24}, 2), bias = noise({10}, 3);
    const auto run = [](bool plain) {
      return [plain](const std::vector<mx::array>& p) {
        const Weight weight{.data = p[1]};
        const LinearTerms terms{.weight = &weight, .bias = &p[2]};
        const mx::array y = plain ? plain::linear_group(p[0], {&terms, 1})[0] : linear(p[0], terms);
        return mx::sum(mx::square(y));
      };
    };
    const auto got = mx::grad(std::function<mx::array(const std::vector<mx::array>&)>(run(false)),
                              {0, 1, 2})({x, weights, bias});
    const auto expected =
        mx::grad(std::function<mx::array(const std::vector<mx::array>&)>(run(true)),
                 {0, 1, 2})({x, weights, bias});
    for (size_t i = 0; i < 3; ++i) check_close(got[i], expected[i]);
  }

  TEST_CASE("linear: runs on our own kernel where the kernels are built") {
    const Weight weight = make_weight(8, 32, kForms[3], 3);
    if (use_cpu_kernels())
      CHECK(std::string(linear(noise({2, 32}, 1), {.weight = &weight}).primitive().name()) ==
            "LinearGroup");
  }

  TEST_CASE("linear: shapes that do not fit are refused with a message") {
    const Weight weight = make_weight(8, 32, kForms[0], 3);
    CHECK_THROWS(linear(noise({2, 31}, 1), {.weight = &weight}));
    const LoraBranch lora{noise({32, 4}, 1), noise({4, 9}, 2), 1.0f};
    CHECK_THROWS(linear(noise({2, 32}, 1), {.weight = &weight, .lora = &lora}));
  }
}

#include <array>

#include "core/tensor/linear.h"

#include "core/base/error.h"
#include "core/tensor/compare_test.h"
#include "core/tensor/dropout.h"

namespace toolkit::tensor::test {

namespace {

Weight packed(const mx::array& dense) {
  const std::vector<mx::array> parts = mx::quantize(dense, 32, 4);
  mx::eval(parts);
  return {.data = parts[0], .scales = parts[1], .biases = parts[2], .group_size = 32, .bits = 4};
}

/// A layer, in -> out, with what DoRA keeps beside its weight.
struct Layer {
  Weight weight;
  mx::array squared_norms, bias;

  Layer(int in, int out, bool packs)
      : weight{.data = random_array({out, in}, 1, 0.2f)},
        squared_norms(mx::zeros({out})),
        bias(random_array({out}, 8)) {
    if (packs) weight = packed(weight.data);
    squared_norms = mx::sum(mx::square(dequantized(weight, mx::float32)), 1);
    mx::eval(squared_norms, bias);
  }

  /// Of inputs {x, a, b, magnitude}.
  mx::array operator()(const Arrays& in, LoraBranch lora, Compute compute = Compute::kFloat32,
                       const PreparedWeight* prepared = nullptr) const {
    return linear(in[0],
                  {.weight = &weight,
                   .prepared = prepared,
                   .bias = &bias,
                   .lora = &lora,
                   .dora = DoraTerms{&in[3], &squared_norms}},
                  compute);
  }
  mx::array operator()(const Arrays& in) const { return (*this)(in, {in[1], in[2], 0.5f}); }

  /// The rows of W + scale (a b)^T at their new lengths, transposed: (in, out).
  mx::array rescaled(const Arrays& in) const {
    const mx::array moved = mx::add(mx::transpose(dequantized(weight, mx::float32)),
                                    mx::multiply(mx::matmul(in[1], in[2]), mx::array(0.5f)));
    const mx::array norms = mx::stop_gradient(mx::sqrt(mx::sum(mx::square(moved), 0)));
    return mx::multiply(moved, mx::divide(in[3], norms));
  }
};

Arrays inputs(int rows, int in, int out, int rank = 4) {
  return {random_array({rows, in}, 2), random_array({in, rank}, 3, 0.2f),
          random_array({rank, out}, 4, 0.2f),
          mx::add(mx::abs(random_array({out}, 5)), mx::array(0.3f))};  // far from 0, as norms are
}

void compare_with_written_out(const Layer& layer, const Arrays& in) {
  const Arrays found =
      values_and_gradients([&](const Arrays& all) { return Arrays{layer(all)}; }, in, 4);
  const Arrays wanted = values_and_gradients(
      [&](const Arrays& all) {
        return Arrays{mx::add(mx::matmul(all[0], layer.rescaled(all)), layer.bias)};
      },
      in, 4);
  for (size_t i = 0; i < found.size(); ++i) CHECK(relative_error(found[i], wanted[i]) < 2e-5f);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("DoRA: values and gradients of packed and dense weights are those of the definition") {
    for (const bool packs : {false, true})
      for (const int rows : {1, 5, 40, 171}) {
        const Layer layer(96, 70, packs);
        const Arrays in = inputs(rows, 96, 70);
        compare_with_written_out(layer, in);
        compare_with_plain([&](const Arrays& all) { return Arrays{layer(all)}; }, in, 4);
      }
  }

  TEST_CASE(
      "DoRA: an input wider than one pass, ranks from one to several tiles, more rows than a "
      "block") {
    compare_with_written_out(Layer(1600, 40, true), inputs(30, 1600, 40, 1));
    compare_with_written_out(Layer(1600, 33, false), inputs(30, 1600, 33, 40));
    compare_with_written_out(Layer(1024, 64, true), inputs(700, 1024, 64, 9));
  }

  TEST_CASE("DoRA: several layers on one input, one of them without") {
    const Layer first(64, 50, true), second(64, 20, true);
    const auto layers = [&](const Arrays& in) {
      const LoraBranch lora{in[1], in[2], 0.5f};
      const LoraBranch other{in[1], mx::slice(in[2], {0, 0}, {4, 20}), 2.0f};
      const LinearTerms maps[] = {{.weight = &second.weight},
                                  {.weight = &first.weight,
                                   .bias = &first.bias,
                                   .lora = &lora,
                                   .dora = DoraTerms{&in[3], &first.squared_norms}},
                                  {.weight = &second.weight, .lora = &other}};
      return linear_group(in[0], maps);
    };
    compare_with_plain(layers, inputs(40, 64, 50), 4);
  }

  TEST_CASE("DoRA: the rows of the layer have the lengths it learned") {
    const Layer layer(64, 50, true);
    Arrays in = inputs(64, 64, 50);
    in[0] = mx::eye(64);
    const mx::array weight = mx::subtract(layer(in), layer.bias);
    const mx::array lengths = mx::sqrt(mx::sum(mx::square(weight), 0));
    CHECK(relative_error(lengths, mx::abs(in[3])) < 1e-5f);
  }

  TEST_CASE("DoRA: gradients of input and magnitude are finite differences") {
    const Layer layer(32, 12, true);
    const Arrays in = inputs(16, 32, 12);
    const mx::array weights = random_array({16, 12}, 11);
    const auto value = [&](const Arrays& all) {
      return mx::sum(mx::multiply(layer(all), weights));
    };
    const auto gradients = mx::grad(value, std::vector<int>{0, 3})(in);
    for (const auto& [input, gradient] : {std::pair{0, gradients[0]}, {3, gradients[1]}}) {
      const mx::array direction = random_array(in[static_cast<size_t>(input)].shape(), 12);
      const auto moved = [&](float step) {
        Arrays all = in;
        mx::array& place = all[static_cast<size_t>(input)];
        place = mx::add(place, mx::multiply(direction, mx::array(step)));
        return value(all).item<float>();
      };
      const float slope = mx::sum(mx::multiply(gradient, direction)).item<float>();
      CHECK((moved(0.5f) - moved(-0.5f)) == doctest::Approx(slope).epsilon(1e-3));
    }
  }

  TEST_CASE("DoRA: int8 and bf16 stay within the error of their rounding") {
    const Layer layer(256, 96, true);
    const Arrays in = inputs(40, 256, 96);
    const OnCpu on_cpu;
    for (const Compute compute : {Compute::kInt8, Compute::kBFloat16}) {
      const auto prepared = prepare(layer.weight, compute);
      const auto rounded = [&](const Arrays& all) {
        return Arrays{layer(all, {all[1], all[2], 0.5f}, compute, prepared.get())};
      };
      const Arrays found = values_and_gradients(rounded, in, 4);
      const Arrays exact =
          values_and_gradients([&](const Arrays& all) { return Arrays{layer(all)}; }, in, 4);
      for (size_t i = 0; i < found.size(); ++i) CHECK(relative_error(found[i], exact[i]) < 0.03f);
    }
  }

  TEST_CASE("DoRA: with dropout on the branch the norms are still those of the whole branch") {
    const Layer layer(64, 48, true);
    const Arrays in = inputs(40, 64, 48);
    const auto dropped = [&](const Arrays& all) {
      return Arrays{layer(
          all, {.a = all[1], .b = all[2], .scale = 0.5f, .dropout = 0.4f, .dropout_key = 99})};
    };
    const auto written_out = [&](const Arrays& all) {
      const mx::array kept =
          mx::matmul(all[0], mx::transpose(dequantized(layer.weight, mx::float32)));
      const mx::array branch = mx::matmul(mx::matmul(dropout(all[0], 0.4f, 99), all[1]), all[2]);
      const mx::array y = mx::add(kept, mx::multiply(branch, mx::array(0.5f)));
      const mx::array scale =
          dora_scale({.weight = &layer.weight,
                      .lora = std::array{LoraBranch{all[1], all[2], 0.5f}}.data(),
                      .dora = DoraTerms{&all[3], &layer.squared_norms}});
      return Arrays{mx::add(mx::multiply(y, scale), layer.bias)};
    };
    const Arrays found = values_and_gradients(dropped, in, 4);
    const Arrays wanted = values_and_gradients(written_out, in, 4);
    for (size_t i = 0; i < found.size(); ++i) CHECK(relative_error(found[i], wanted[i]) < 2e-5f);
  }

  TEST_CASE("DoRA: a magnitude of zero has no gradient and is no error") {
    const Layer layer(32, 12, false);
    Arrays in = inputs(16, 32, 12);
    in[3] = mx::zeros({12});
    const auto sum = [&](const mx::array& magnitude) {
      return mx::sum(layer({in[0], in[1], in[2], magnitude}));
    };
    CHECK(mx::all(mx::isfinite(mx::grad(sum)(in[3]))).item<bool>());
  }

  TEST_CASE("DoRA: arrays of another length and a missing branch are refused") {
    const Layer layer(32, 12, false);
    const mx::array longer = mx::ones({13});
    const LoraBranch lora{mx::ones({32, 2}), mx::ones({2, 12}), 1.0f};
    const mx::array x = mx::ones({2, 32});
    CHECK_THROWS_AS(linear(x, {.weight = &layer.weight,
                               .lora = &lora,
                               .dora = DoraTerms{&longer, &layer.squared_norms}}),
                    Error);
    CHECK_THROWS_AS(linear(x, {.weight = &layer.weight,
                               .dora = DoraTerms{&layer.squared_norms, &layer.squared_norms}}),
                    Error);
  }
}

}  // namespace toolkit::tensor::test

#include "core/tensor/linear.h"

#include "core/base/error.h"
#include "core/tensor/compare_test.h"
#include "core/tensor/dropout.h"

namespace toolkit::tensor::test {

namespace {

constexpr int kIn = 64, kOut = 96, kRank = 4;

Weight packed_weight() {
  const std::vector<mx::array> parts = mx::quantize(random_array({kOut, kIn}, 1, 0.2f), 32, 4);
  mx::eval(parts);
  return {.data = parts[0], .scales = parts[1], .biases = parts[2], .group_size = 32, .bits = 4};
}

/// {x, a, b, scale of the outputs}
Arrays inputs() {
  return {random_array({40, kIn}, 2), random_array({kIn, kRank}, 3, 0.2f),
          random_array({kRank, kOut}, 4, 0.2f), random_array({kOut}, 5)};
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a frozen second branch and an output scale: as the sum written out") {
    const Weight weight = packed_weight();
    const mx::array frozen_a = random_array({kIn, 3}, 6, 0.2f);
    const mx::array frozen_b = random_array({3, kOut}, 7, 0.2f), bias = random_array({kOut}, 8);
    const auto layer = [&](const Arrays& in) {
      const LoraBranch lora{in[1], in[2], 0.5f, frozen_a, frozen_b};
      return Arrays{
          linear(in[0], {.weight = &weight, .bias = &bias, .lora = &lora, .output_scale = &in[3]})};
    };
    const auto written_out = [&](const Arrays& in) {
      const mx::array change = mx::add(mx::matmul(in[1], in[2]), mx::matmul(frozen_a, frozen_b));
      const mx::array whole = mx::add(mx::transpose(dequantized(weight, mx::float32)),
                                      mx::multiply(change, mx::array(0.5f)));
      return Arrays{mx::add(mx::multiply(mx::matmul(in[0], whole), in[3]), bias)};
    };
    const Arrays found = values_and_gradients(layer, inputs(), 4);
    const Arrays wanted = values_and_gradients(written_out, inputs(), 4);
    for (size_t i = 0; i < found.size(); ++i) CHECK(relative_error(found[i], wanted[i]) < 2e-5f);
    compare_with_plain(layer, inputs(), 4);
  }

  TEST_CASE("dropout zeroes the input of the branch alone") {
    const Weight weight = packed_weight();
    const mx::array frozen_a = random_array({kIn, 3}, 6, 0.2f);
    const mx::array frozen_b = random_array({3, kOut}, 7, 0.2f);
    const auto layer = [&](const Arrays& in) {
      const LoraBranch lora{in[1], in[2], 0.5f, frozen_a, frozen_b, 0.4f, 99};
      return Arrays{linear(in[0], {.weight = &weight, .lora = &lora, .output_scale = &in[3]})};
    };
    const auto written_out = [&](const Arrays& in) {
      const mx::array kept = mx::matmul(in[0], mx::transpose(dequantized(weight, mx::float32)));
      const mx::array frozen = mx::matmul(mx::matmul(in[0], frozen_a), frozen_b);
      const mx::array branch = mx::matmul(mx::matmul(dropout(in[0], 0.4f, 99), in[1]), in[2]);
      const mx::array low = mx::multiply(mx::add(frozen, branch), mx::array(0.5f));
      return Arrays{mx::multiply(mx::add(kept, low), in[3])};
    };
    const Arrays found = values_and_gradients(layer, inputs(), 4);
    const Arrays wanted = values_and_gradients(written_out, inputs(), 4);
    for (size_t i = 0; i < found.size(); ++i) CHECK(relative_error(found[i], wanted[i]) < 2e-5f);
  }

  TEST_CASE("an output scale of another length is refused") {
    const Weight weight = packed_weight();
    const mx::array scale = mx::ones({kOut + 1});
    CHECK_THROWS_AS(linear(mx::ones({2, kIn}), {.weight = &weight, .output_scale = &scale}), Error);
  }
}

}  // namespace toolkit::tensor::test

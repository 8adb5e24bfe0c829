#include "engine/singular_values.h"

#include <doctest/doctest.h>

#include "mlx/mlx.h"

using namespace toolkit;
using namespace toolkit::engine;

namespace {

float largest_difference(const mx::array& a, const mx::array& b) {
  return mx::max(mx::abs(mx::subtract(a, b))).item<float>();
}

// Singular values fall like those of trained weights.
mx::array falling_matrix(int rows, int columns) {
  const mx::array u =
      mx::linalg::qr(mx::random::normal({rows, 48}, mx::float32, 0, 1, mx::random::key(1)),
                     mx::Device::cpu)
          .first;
  const mx::array v =
      mx::linalg::qr(mx::random::normal({columns, 48}, mx::float32, 0, 1, mx::random::key(2)),
                     mx::Device::cpu)
          .first;
  const mx::array values = mx::divide(mx::array(3.0f), mx::arange(1.0, 49.0, 1.0, mx::float32));
  return mx::matmul(mx::multiply(u, values), mx::transpose(v));
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the leading singular triplets of a dense and of a packed weight") {
    const mx::array matrix = falling_matrix(96, 64);
    const std::vector<mx::array> packed = mx::quantize(matrix, 32, 4);
    mx::eval(packed);
    const tensor::Weight dense{.data = matrix};
    const tensor::Weight four_bit{
        .data = packed[0], .scales = packed[1], .biases = packed[2], .group_size = 32, .bits = 4};
    for (const tensor::Weight* weight : {&dense, &four_bit}) {
      const std::vector<mx::array> exact =
          mx::linalg::svd(tensor::dequantized(*weight, mx::float32), true, mx::Device::cpu);
      const SingularTriplets found = leading_singular_triplets(*weight, 6, 3);
      CHECK(largest_difference(found.values, mx::slice(exact[1], {0}, {6})) < 1e-4f);
      // Vectors have no sign of their own: compare what they make.
      const mx::array made =
          mx::matmul(mx::multiply(found.u, found.values), mx::transpose(found.v));
      const mx::array wanted = mx::matmul(
          mx::multiply(mx::slice(exact[0], {0, 0}, {96, 6}), mx::slice(exact[1], {0}, {6})),
          mx::slice(exact[2], {0, 0}, {6, 64}));
      CHECK(largest_difference(made, wanted) < 2e-3f);
    }
  }
}

#include "engine/singular_values.h"

#include <algorithm>

#include "core/base/random.h"
#include "mlx/linalg.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::engine {

namespace {

// An orthonormal basis of the columns of (n, l).
std::pair<mx::array, mx::array> basis(const mx::array& columns) {
  const auto [q, r] = mx::linalg::qr(columns, mx::Device::cpu);
  return {q, r};
}

// W x for x (in, l): (out, l).
mx::array product(const tensor::Weight& weight, const mx::array& x) {
  return mx::transpose(tensor::linear(mx::transpose(x), {.weight = &weight}));
}

// W^T y for y (out, l): (in, l). The gradient of the product is the transposed product.
mx::array transposed_product(const tensor::Weight& weight, const mx::array& y) {
  const auto forward = [&](const std::vector<mx::array>& in) {
    return std::vector<mx::array>{tensor::linear(in[0], {.weight = &weight})};
  };
  const mx::array start = mx::zeros({y.shape(1), weight.columns()}, mx::float32);
  return mx::transpose(mx::vjp(forward, {start}, {mx::transpose(y)}).second[0]);
}

mx::array random_directions(int rows, int count, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<size_t>(rows) * static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(2.0 * random.uniform() - 1.0);
  return mx::array(values.data(), {rows, count}, mx::float32);
}

mx::array first_columns(const mx::array& matrix, int count) {
  return mx::contiguous(mx::slice(matrix, {0, 0}, {matrix.shape(0), count}));
}

}  // namespace

SingularTriplets leading_singular_triplets(const tensor::Weight& weight, int rank, uint64_t seed,
                                           int iterations) {
  // More directions than asked for: those wanted converge faster.
  const int wide = std::min({weight.rows(), weight.columns(), 2 * rank + 8});
  mx::array q = basis(product(weight, random_directions(weight.columns(), wide, seed))).first;
  for (int i = 0; i < iterations; ++i) {
    q = basis(product(weight, basis(transposed_product(weight, q)).first)).first;
    mx::eval(q);
  }
  // W ~ q (W^T q)^T, and W^T q = p r with small r.
  const auto [p, r] = basis(transposed_product(weight, q));
  const std::vector<mx::array> parts = mx::linalg::svd(mx::transpose(r), true, mx::Device::cpu);
  SingularTriplets triplets{first_columns(mx::matmul(q, parts[0]), rank),
                            mx::slice(parts[1], {0}, {rank}),
                            first_columns(mx::matmul(p, mx::transpose(parts[2])), rank)};
  mx::eval(triplets.u, triplets.values, triplets.v);
  return triplets;
}

}  // namespace toolkit::engine

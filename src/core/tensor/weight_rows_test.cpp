#include "core/tensor/weight_rows.h"

#include <doctest/doctest.h>

#include "mlx/mlx.h"

namespace toolkit::tensor {

TEST_SUITE("unit") {
  TEST_CASE("rows of a weight joined again are the weight, dense and packed") {
    const mx::array dense = mx::random::normal({7, 64});
    const std::vector<mx::array> packed = mx::quantize(dense, 32, 4);
    const Weight weights[] = {{.data = dense}, {packed[0], packed[1], packed[2], 32, 4}};
    for (const Weight& weight : weights) {
      const Weight joined = joined_rows(
          {weight_rows(weight, 0, 3), weight_rows(weight, 3, 4), weight_rows(weight, 4, 7)});
      CHECK(joined.bits == weight.bits);
      CHECK(mx::array_equal(joined.data, weight.data).item<bool>());
      CHECK(joined.scales.has_value() == weight.scales.has_value());
      CHECK(mx::array_equal(dequantized(joined, mx::float32), dequantized(weight, mx::float32))
                .item<bool>());
    }
  }
}

}  // namespace toolkit::tensor

#include "core/tensor/embedding.h"

#include "core/base/error.h"
#include "core/tensor/compare_test.h"

namespace toolkit::tensor::test {

namespace {

mx::array some_ids(int batch, int tokens, int vocabulary) {
  std::vector<int> all;
  for (int i = 0; i < batch * tokens; ++i) all.push_back(i * 7919 % vocabulary);
  return mx::array(all.begin(), {batch, tokens}, mx::int32);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("embedding of a dense table: values, and gradients that add up for repeated ids") {
    const mx::array ids = some_ids(2, 40, 30);
    compare_with_plain(
        [&](const Arrays& in) { return Arrays{embedding({.data = in[0]}, ids, mx::float32)}; },
        {random_array({30, 20}, 1)}, 1);
  }

  TEST_CASE("embedding of half-precision tables") {
    const mx::array ids = some_ids(1, 9, 30);
    for (const mx::Dtype type : {mx::float16, mx::bfloat16}) {
      const Weight table{.data = mx::astype(random_array({30, 20}, 1), type)};
      compare_with_plain([&](const Arrays&) { return Arrays{embedding(table, ids, mx::float32)}; },
                         {}, 0);
    }
  }

  TEST_CASE("embedding of quantized tables equals dequantizing them") {
    const mx::array ids = some_ids(2, 11, 50);
    for (const int bits : {4, 8, 3}) {
      for (const mx::Dtype type : {mx::float32, mx::float16}) {
        const auto parts = mx::quantize(mx::astype(random_array({50, 96}, 1), type), 32, bits);
        const Weight table{parts[0], parts[1], parts[2], 32, bits};
        CAPTURE(bits);
        use_plain_graph(true);
        const mx::array wanted = mx::take(dequantized(table, mx::float32), ids, 0);
        use_plain_graph(false);
        CHECK(relative_error(embedding(table, ids, mx::float32), wanted) <
              (type == mx::float32 ? 1e-6f : 1e-3f));
      }
    }
  }

  TEST_CASE("a table used in several places: gradients of reading rows and of products add up") {
    const mx::array ids = some_ids(2, 40, 30), others = some_ids(1, 5, 30);
    const mx::array x = random_array({7, 20}, 2);
    const auto both = [&](const Arrays& in) {
      const std::vector<mx::array> uses = shared_table(in[0], 3);
      return Arrays{embedding({.data = uses[0]}, ids, mx::float32),
                    mx::matmul(x, mx::transpose(uses[1])),
                    embedding({.data = uses[2]}, others, mx::float32)};
    };
    compare_with_plain(both, {random_array({30, 20}, 1)}, 1);
    const auto rows_only = [&](const Arrays& in) {
      const std::vector<mx::array> uses = shared_table(in[0], 2);
      return Arrays{embedding({.data = uses[0]}, ids, mx::float32),
                    embedding({.data = uses[1]}, others, mx::float32)};
    };
    compare_with_plain(rows_only, {random_array({30, 20}, 1)}, 1);
  }

  TEST_CASE("gather_rows: values and a gradient that puts rows back") {
    const std::vector<int> rows = {5, 0, 7};
    const mx::array picked(rows.begin(), {3}, mx::int32);
    compare_with_plain([&](const Arrays& in) { return Arrays{gather_rows(in[0], picked)}; },
                       {random_array({9, 33}, 1)}, 1);
  }

  TEST_CASE("embedding and gather_rows name the shapes they refuse") {
    CHECK_THROWS_WITH_AS(embedding({.data = mx::zeros({4})}, some_ids(1, 2, 4), mx::float32),
                         doctest::Contains("(4) float32"), Error);
    CHECK_THROWS_AS(gather_rows(mx::zeros({4, 4}), mx::zeros({2})), Error);
  }
}

}  // namespace toolkit::tensor::test

#include "models/kv_cache.h"

#include <doctest/doctest.h>

#include "core/base/error.h"
#include "mlx/mlx.h"
#include "models/testing/memory_files.h"

namespace toolkit::models {

using testing::largest_difference;

TEST_SUITE("unit") {
  TEST_CASE("a cache holds exactly what was appended, across growth and truncation") {
    DecoderConfig config;
    config.num_kv_heads = 2;
    config.head_dim = 4;
    config.layers.resize(2);
    for (const int batch : {1, 3}) {
      CAPTURE(batch);
      KvCache cache(config, batch);
      const mx::array all = mx::random::normal({batch, 600, 2, 4});
      const auto rows = [&](int begin, int end) {
        return mx::slice(all, {0, begin, 0, 0}, {batch, end, 2, 4});
      };
      int at = 0;
      for (const int step : {1, 250, 20, 300}) {  // two of them cross a multiple of 256
        for (int layer = 0; layer < 2; ++layer) {
          const auto [k, v] =
              cache.append(layer, rows(at, at + step), mx::negative(rows(at, at + step)));
          CHECK(k.shape() == mx::Shape{batch, at + step, 2, 4});
          CHECK(largest_difference(k, rows(0, at + step)) == 0.0f);
          CHECK(largest_difference(v, mx::negative(rows(0, at + step))) == 0.0f);
        }
        cache.advance(step);
        at += step;
      }
      CHECK(cache.length() == 571);
      CHECK(cache.capacity() % KvCache::kStep == 0);
      cache.truncate(100);
      const auto [k, v] = cache.append(0, rows(400, 410), rows(400, 410));
      CHECK(largest_difference(k, mx::concatenate({rows(0, 100), rows(400, 410)}, 1)) == 0.0f);
      if (batch > 1) continue;
      const mx::array row = mx::contiguous(rows(400, 401));
      mx::eval(row);
      CHECK(cache.keys(0)[100 * 8 + 3] == row.data<float>()[3]);
    }
  }

  TEST_CASE("what was appended but never read is still there later") {
    DecoderConfig config;
    config.num_kv_heads = 1;
    config.head_dim = 2;
    config.layers.resize(1);
    KvCache cache(config);
    const mx::array first = mx::random::normal({1, 3, 1, 2}),
                    second = mx::random::normal({1, 2, 1, 2});
    cache.append(0, first, first);
    cache.advance(3);
    const auto [k, v] = cache.append(0, second, second);
    CHECK(largest_difference(k, mx::concatenate({first, second}, 1)) == 0.0f);
  }

  TEST_CASE("truncating to more than there is, is our bug") {
    DecoderConfig config;
    config.num_kv_heads = 1;
    config.head_dim = 2;
    config.layers.resize(1);
    KvCache cache(config);
    CHECK_THROWS_AS(cache.truncate(1), Error);
  }
}

}  // namespace toolkit::models

#include "core/tensor/attention.h"

#include <numeric>

#include "core/base/error.h"
#include "core/tensor/compare_test.h"

namespace toolkit::tensor::test {

namespace {

struct Sizes {
  int batch, queries, keys, heads, kv_heads, width;
};

Arrays random_qkv(const Sizes& s) {
  return {random_array({s.batch, s.queries, s.heads, s.width}, 1),
          random_array({s.batch, s.keys, s.kv_heads, s.width}, 2),
          random_array({s.batch, s.keys, s.kv_heads, s.width}, 3)};
}

AttentionOptions scaled(const Sizes& s) {
  return {.scale = 1.0f / std::sqrt(static_cast<float>(s.width))};
}

Function attend(const AttentionOptions& options) {
  return [options](const Arrays& in) { return Arrays{attention(in[0], in[1], in[2], options)}; };
}

mx::array ids(const std::vector<int>& lengths, const std::vector<int>& names) {
  std::vector<int> all;
  for (size_t i = 0; i < lengths.size(); ++i)
    all.insert(all.end(), static_cast<size_t>(lengths[i]), names[i]);
  return mx::array(all.begin(), {1, static_cast<int>(all.size())}, mx::int32);
}

mx::array tokens(const mx::array& x, int begin, int end) {
  return mx::slice(x, {0, begin, 0, 0}, {x.shape(0), end, x.shape(2), x.shape(3)});
}

/// Rows of one length, each a shared prefix (part of the first segment), segments and padding.
struct SharedRows {
  std::vector<int> prefix;
  std::vector<std::vector<int>> lengths;  // of the segments; the rest of a row is padding
  int length;

  AttentionOptions options(const Sizes& s) const {
    AttentionOptions options = scaled(s);
    std::vector<int> all;
    for (const std::vector<int>& row : lengths) {
      for (size_t i = 0; i < row.size(); ++i)
        all.insert(all.end(), static_cast<size_t>(row[i]), static_cast<int>(i));
      const size_t rest = static_cast<size_t>(length) -
                          static_cast<size_t>(std::accumulate(row.begin(), row.end(), 0));
      all.insert(all.end(), rest, -1);
    }
    const int rows = static_cast<int>(lengths.size());
    options.segments = mx::array(all.begin(), {rows, length}, mx::int32);
    options.prefix = mx::array(prefix.begin(), {rows}, mx::int32);
    return options;
  }

  /// Every segment by itself, behind a copy of the prefix: the definition. Padding gives zeros.
  Arrays apart(const Arrays& in, AttentionOptions options) const {
    options.segments = options.prefix = std::nullopt;
    Arrays rows;
    for (size_t row = 0; row < lengths.size(); ++row) {
      const int at = static_cast<int>(row);
      Arrays parts, own;
      for (const mx::array& x : in)
        own.push_back(mx::slice(x, {at, 0, 0, 0}, {at + 1, length, x.shape(2), x.shape(3)}));
      int begin = 0;
      for (const int count : lengths[row]) {
        const int shared = begin == 0 ? 0 : prefix[row];
        Arrays sample;
        for (const mx::array& x : own)
          sample.push_back(
              mx::concatenate({tokens(x, 0, shared), tokens(x, begin, begin + count)}, 1));
        const mx::array seen = attention(sample[0], sample[1], sample[2], options);
        parts.push_back(tokens(seen, shared, shared + count));
        begin += count;
      }
      if (begin < length) parts.push_back(mx::zeros_like(tokens(own[0], begin, length)));
      rows.push_back(mx::concatenate(parts, 1));
    }
    return {mx::concatenate(rows, 0)};
  }
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("causal attention equals the plain graph for many shapes") {
    for (const Sizes& s : {Sizes{1, 1, 1, 1, 1, 64},
                           {1, 7, 7, 3, 1, 32},
                           {2, 65, 65, 4, 2, 64},
                           {1, 130, 130, 9, 3, 64},
                           {1, 50, 50, 2, 2, 80},
                           {1, 97, 97, 4, 1, 96},
                           {1, 40, 40, 2, 1, 128},
                           {2, 9, 9, 2, 1, 10}}) {
      CAPTURE(s.queries);
      CAPTURE(s.width);
      compare_with_plain(attend(scaled(s)), random_qkv(s), 3);
    }
  }

  TEST_CASE("attention after a cache: S > T, down to one query") {
    for (const Sizes& s : {Sizes{1, 1, 200, 9, 3, 64},
                           {2, 3, 70, 4, 2, 32},
                           {1, 8, 600, 6, 2, 64},
                           {1, 65, 300, 2, 1, 64}})
      compare_with_plain(attend(scaled(s)), random_qkv(s), 3);
  }

  TEST_CASE("attention with window, softcap, without causality") {
    const Sizes s{1, 150, 150, 4, 2, 64};
    AttentionOptions options = scaled(s);
    for (const int window : {1, 5, 64, 100, 500}) {
      options.window = window;
      compare_with_plain(attend(options), random_qkv(s), 3);
    }
    options.softcap = 2.0f;
    compare_with_plain(attend(options), random_qkv(s), 3);
    options.window = 0;
    compare_with_plain(attend(options), random_qkv(s), 3);
    options.causal = false;
    compare_with_plain(attend(options), random_qkv(s), 3);
    options.softcap = 0.0f;
    compare_with_plain(attend(options), random_qkv(s), 3);
    const Sizes late{1, 2, 700, 4, 2, 64};
    AttentionOptions windowed = scaled(late);
    windowed.window = 30;
    compare_with_plain(attend(windowed), random_qkv(late), 3);
  }

  TEST_CASE("a long row: more keys than one softmax step holds") {
    const Sizes s{1, 1100, 1100, 2, 1, 32};
    compare_with_plain(attend(scaled(s)), random_qkv(s), 3);
  }

  TEST_CASE("packed attention equals the plain graph with a segment mask") {
    const Sizes s{1, 200, 200, 6, 2, 64};
    AttentionOptions options = scaled(s);
    options.segments = ids({1, 70, 64, 30, 35}, {0, 1, 2, 3, 4});
    compare_with_plain(attend(options), random_qkv(s), 3);
    options.window = 20;
    compare_with_plain(attend(options), random_qkv(s), 3);
  }

  TEST_CASE("packed attention equals attention on each segment, and padding gives zeros") {
    const OnCpu on_cpu;
    const Sizes s{1, 160, 160, 6, 3, 64};
    const std::vector<int> lengths = {60, 1, 79, 20};
    AttentionOptions options = scaled(s);
    options.segments = ids(lengths, {0, 1, 2, -1});
    const Arrays inputs = random_qkv(s);
    const Arrays packed = values_and_gradients(attend(options), inputs, 3);
    const mx::array cotangent = random_array(inputs[0].shape(), 1001);
    int begin = 0;
    for (const int length : lengths) {
      const int end = begin + length;
      CAPTURE(begin);
      if (begin == 140) {
        for (const mx::array& part : packed) {
          mx::array largest = mx::max(mx::abs(tokens(part, begin, end)));
          CHECK(largest.item<float>() == 0.0f);
        }
        break;
      }
      Arrays own;
      for (const mx::array& input : inputs) own.push_back(tokens(input, begin, end));
      auto [values, gradients] = mx::vjp(attend(scaled(s)), own, {tokens(cotangent, begin, end)});
      CHECK(relative_error(tokens(packed[0], begin, end), values[0]) < 1e-5f);
      for (size_t i = 0; i < 3; ++i)
        CHECK(relative_error(tokens(packed[i + 1], begin, end), gradients[i]) < 1e-5f);
      begin = end;
    }
  }

  TEST_CASE("rows with a shared prefix equal the plain graph, and each segment behind its prefix") {
    struct Case {
      Sizes sizes;
      SharedRows rows;
    };
    for (const Case& c :
         {Case{{1, 40, 40, 4, 2, 64}, {{9}, {{20, 7, 13}}, 40}},  // heads are split over threads
          {{1, 300, 300, 9, 3, 64}, {{30}, {{60, 33, 1, 40, 29, 35, 31, 50, 21}}, 300}},
          {{3, 97, 97, 4, 1, 80}, {{17, 0, 70}, {{40, 3, 30, 24}, {50, 47}, {77, 5, 15}}, 97}},
          {{2, 61, 61, 3, 3, 10}, {{1, 61}, {{1, 1, 30, 29}, {61}}, 61}},
          {{1, 700, 700, 2, 1, 32}, {{530}, {{560, 70, 70}}, 700}}}) {
      CAPTURE(c.sizes.queries);
      AttentionOptions options = c.rows.options(c.sizes);
      const Arrays inputs = random_qkv(c.sizes);
      const Function apart = [&](const Arrays& in) { return c.rows.apart(in, options); };
      for (const int window : {0, 1, 12, 25, 100}) {
        for (const float softcap : {0.0f, 2.0f}) {
          CAPTURE(window);
          CAPTURE(softcap);
          options.window = window;
          options.softcap = softcap;
          compare_with_plain(attend(options), inputs, 3);
          use_plain_graph(true);
          const Arrays wanted = values_and_gradients(apart, inputs, 3);
          const Arrays plain = values_and_gradients(attend(options), inputs, 3);
          use_plain_graph(false);
          for (size_t i = 0; i < wanted.size(); ++i)
            CHECK(relative_error(plain[i], wanted[i]) < 1e-5f);
        }
      }
    }
  }

  TEST_CASE("padding behind a shared prefix sees nothing and is not seen") {
    const OnCpu on_cpu;
    const Sizes s{2, 60, 60, 4, 2, 64};
    const SharedRows rows{{11, 0}, {{20, 9, 14}, {}}, 60};
    const AttentionOptions options = rows.options(s);
    const Arrays inputs = random_qkv(s);
    const Arrays found = values_and_gradients(attend(options), inputs, 3);
    const Arrays wanted =
        values_and_gradients([&](const Arrays& in) { return rows.apart(in, options); }, inputs, 3);
    for (size_t i = 0; i < wanted.size(); ++i) CHECK(relative_error(found[i], wanted[i]) < 1e-5f);
  }

  TEST_CASE("a shared prefix gives the same bits every time") {
    const Sizes s{2, 120, 120, 6, 3, 64};
    const SharedRows rows{{30, 25}, {{40, 9, 14, 20, 30, 7}, {60, 20, 40}}, 120};
    const Arrays inputs = random_qkv(s);
    const Arrays first = values_and_gradients(attend(rows.options(s)), inputs, 3);
    for (int i = 0; i < 10; ++i) {
      const Arrays again = values_and_gradients(attend(rows.options(s)), inputs, 3);
      for (size_t k = 0; k < first.size(); ++k)
        CHECK(mx::array_equal(first[k], again[k]).item<bool>());
    }
  }

  TEST_CASE("keys and values may be a slice of a longer cache") {
    const mx::array q = random_array({2, 3, 4, 32}, 1);
    const mx::array cache_k = random_array({2, 64, 2, 32}, 2),
                    cache_v = random_array({2, 64, 2, 32}, 3);
    compare_with_plain(
        [&](const Arrays& in) {
          return Arrays{
              attention(in[0], tokens(in[1], 0, 20), tokens(in[2], 0, 20), {.scale = 0.2f})};
        },
        {q, cache_k, cache_v}, 3);
  }

  TEST_CASE("attention names the shapes it refuses") {
    const mx::array q = random_array({1, 4, 3, 8}, 1), k = random_array({1, 4, 2, 8}, 2);
    CHECK_THROWS_WITH_AS(attention(q, k, k, {}),
                         doctest::Contains("(1, 4, 3, 8) float32, (1, 4, 2, 8) float32"), Error);
    AttentionOptions options;
    options.segments = mx::zeros({1, 5}, mx::int32);
    CHECK_THROWS_WITH_AS(attention(q, q, q, options), doctest::Contains("(1, 5)"), Error);
    options.prefix = mx::zeros({1}, mx::int32);
    options.segments = std::nullopt;
    CHECK_THROWS_WITH_AS(attention(q, q, q, options), doctest::Contains("segments"), Error);
    options.segments = mx::zeros({1, 4}, mx::int32);
    CHECK_NOTHROW(attention(q, q, q, options));
    options.prefix = mx::zeros({2}, mx::int32);
    CHECK_THROWS_WITH_AS(attention(q, q, q, options), doctest::Contains("(2)"), Error);
  }
}

}  // namespace toolkit::tensor::test

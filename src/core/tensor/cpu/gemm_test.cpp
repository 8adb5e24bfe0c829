// The kernels by themselves, without MLX, so that scripts/neon_check can run them under an
// emulator.

#include "core/tensor/cpu/gemm.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "core/tensor/cpu/gemv.h"
#include "core/tensor/cpu/int8_gemm.h"
#include "core/tensor/cpu/packed_rows.h"

using namespace toolkit::tensor::cpu;

namespace {

std::vector<float> noise(int64_t count, unsigned seed) {
  std::minstd_rand random(seed);
  std::uniform_real_distribution<float> values(-1.0f, 1.0f);
  std::vector<float> result(static_cast<size_t>(count));
  for (float& value : result) value = values(random);
  return result;
}

/// c (m, n) = a (m, k) b (k, n), the slow way.
std::vector<float> product(const std::vector<float>& a, const std::vector<float>& b, int64_t m,
                           int64_t k, int64_t n) {
  std::vector<float> c(static_cast<size_t>(m * n));
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t l = 0; l < k; ++l)
        sum += static_cast<double>(a[static_cast<size_t>(i * k + l)]) *
               b[static_cast<size_t>(l * n + j)];
      c[static_cast<size_t>(i * n + j)] = static_cast<float>(sum);
    }
  return c;
}

std::vector<float> transposed(const std::vector<float>& a, int64_t rows, int64_t columns) {
  std::vector<float> result(a.size());
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      result[static_cast<size_t>(j * rows + i)] = a[static_cast<size_t>(i * columns + j)];
  return result;
}

float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  float largest = 0.0f;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

/// The numbers cut to five bits of mantissa, which f16 and bf16 hold exactly, and as those.
std::vector<uint16_t> rounded(std::vector<float>& values, FloatType type) {
  std::vector<uint16_t> halves;
  for (float& value : values) {
    if (std::abs(value) < 1e-3f) value = 0.0f;
    const uint32_t bits = std::bit_cast<uint32_t>(value) & 0xfffc0000u;
    value = std::bit_cast<float>(bits);
    const uint32_t sign = bits >> 16 & 0x8000u, exponent = bits >> 23 & 0xffu;
    const uint32_t half =
        exponent == 0 ? sign : sign | (exponent - 112) << 10 | (bits >> 13 & 0x3ffu);
    halves.push_back(static_cast<uint16_t>(type == FloatType::kFloat16 ? half : bits >> 16));
  }
  return halves;
}

/// A packed weight and the same numbers as floats.
struct Packed {
  std::vector<uint32_t> words;
  std::vector<float> scales, biases, dense;
  std::vector<uint16_t> half_scales, half_biases;
  WeightView view;

  Packed(int64_t rows, int64_t columns, int bits, int group = 32,
         FloatType type = FloatType::kFloat32)
      : words(static_cast<size_t>(rows * columns * bits / 32)),
        scales(noise(rows * columns / group, 5)),
        biases(noise(rows * columns / group, 6)),
        dense(static_cast<size_t>(rows * columns)) {
    std::minstd_rand random(7);
    for (uint32_t& word : words) word = static_cast<uint32_t>(random()) * 2654435761u;
    for (float& scale : scales) scale /= static_cast<float>(1 << bits);
    if (type != FloatType::kFloat32) {
      half_scales = rounded(scales, type);
      half_biases = rounded(biases, type);
    }
    const int per_word = 32 / bits;
    for (size_t i = 0; i < dense.size(); ++i) {
      const uint32_t word = words[i / static_cast<size_t>(per_word)];
      const uint32_t q = word >> (static_cast<int>(i) % per_word * bits) & ((1u << bits) - 1);
      const size_t g = i / static_cast<size_t>(group);
      dense[i] = scales[g] * static_cast<float>(q) + biases[g];
    }
    view = {.data = words.data(),
            .scales = scales.data(),
            .biases = biases.data(),
            .rows = rows,
            .columns = columns,
            .group_size = group,
            .bits = bits,
            .type = type};
    if (half_scales.empty()) return;
    view.scales = half_scales.data();
    view.biases = half_biases.data();
  }
  RightFactor factor(RightFactor::Form form) const {
    return {.form = form, .weight = view, .scales = scales.data(), .biases = biases.data()};
  }
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("gemm: sums of products of plain matrices, with bias and accumulation") {
    for (const int64_t m : {1, 7, 12, 25})
      for (const int64_t n : {1, 8, 31, 70}) {
        const int64_t k = 37, r = 3;
        const std::vector<float> a = noise(m * k, 1), b = noise(k * n, 2), low = noise(m * r, 3),
                                 up = noise(r * n, 4);
        const std::vector<float> up_t = transposed(up, r, n), bias = noise(n, 8);
        std::vector<float> c(static_cast<size_t>(m * n), 1.0f), expected = product(a, b, m, k, n);
        const std::vector<float> extra = product(low, up, m, r, n);
        for (size_t i = 0; i < expected.size(); ++i)
          expected[i] += 0.5f * extra[i] + 1.0f + bias[i % static_cast<size_t>(n)];
        const GemmTerm terms[] = {{a.data(), k, k, {.matrix = b.data(), .stride = n}},
                                  {low.data(),
                                   r,
                                   r,
                                   {.form = RightFactor::Form::kMatrixTransposed,
                                    .matrix = up_t.data(),
                                    .stride = r,
                                    .factor = 0.5f}}};
        gemm(terms,
             {.c = c.data(), .stride = n, .m = m, .n = n, .bias = bias.data(), .accumulate = true});
        CHECK(largest_difference(c, expected) < 1e-4f);
      }
  }

  TEST_CASE("gemm, gemv: packed weights in both directions") {
    for (const int bits : {4, 8}) {
      const int64_t rows = 64, columns = 96;
      const Packed weight(rows, columns, bits);
      for (const int64_t m : {1, 5, 14}) {
        const std::vector<float> x = noise(m * columns, 1), dy = noise(m * rows, 2);
        const std::vector<float> y =
            product(x, transposed(weight.dense, rows, columns), m, columns, rows);
        const std::vector<float> dx = product(dy, weight.dense, m, rows, columns);
        std::vector<float> got(y.size()), got_dx(dx.size());
        const GemmTerm forward{x.data(), columns, columns,
                               weight.factor(RightFactor::Form::kWeightTransposed)};
        gemm({&forward, 1}, {.c = got.data(), .stride = rows, .m = m, .n = rows});
        CHECK(largest_difference(got, y) < 1e-4f);
        const GemmTerm backward{dy.data(), rows, rows, weight.factor(RightFactor::Form::kWeight)};
        gemm({&backward, 1}, {.c = got_dx.data(), .stride = columns, .m = m, .n = columns});
        CHECK(largest_difference(got_dx, dx) < 1e-4f);
        if (m > kMostGemvInputs) continue;
        std::vector<float> few(y.size());
        const GemvMap map{weight.view, few.data(), rows};
        gemv(x.data(), m, {&map, 1});
        CHECK(largest_difference(few, y) < 1e-4f);
      }
    }
  }

  TEST_CASE("gemv: one input, groups and widths of every kind, scales of every type") {
    for (const int bits : {4, 8})
      for (const int group : {32, 64, 128})
        for (const int64_t columns : {128, 384, 640, 1536})
          for (const FloatType type :
               {FloatType::kFloat32, FloatType::kFloat16, FloatType::kBFloat16}) {
            CAPTURE(bits);
            CAPTURE(group);
            CAPTURE(columns);
            const int64_t rows = 23;
            const Packed packed(rows, columns, bits, group, type);
            std::vector<float> x = noise(columns, 1);
            x[5] = 300.0f;  // one that leaves few bits to the others of its group
            const std::vector<float> y =
                product(x, transposed(packed.dense, rows, columns), 1, columns, rows);
            std::vector<float> got(y.size()), bias = noise(rows, 3);
            const GemvMap map{packed.view, got.data(), rows, bias.data()};
            gemv(x.data(), 1, {&map, 1});
            for (size_t i = 0; i < got.size(); ++i) got[i] -= bias[i];
            CHECK(largest_difference(got, y) < 3e-4f);
          }
  }

  TEST_CASE("gemv: what is not a number stays visible - zeros and huge numbers are numbers") {
    const int64_t rows = 8, columns = 96;
    const Packed packed(rows, columns, 4);
    std::vector<float> y(static_cast<size_t>(rows));
    const GemvMap map{packed.view, y.data(), rows};
    const auto result = [&](float value) {
      std::vector<float> x(static_cast<size_t>(columns), 0.0f);
      x[40] = value;
      gemv(x.data(), 1, {&map, 1});
      return y[3];
    };
    CHECK_FALSE(std::isfinite(result(std::numeric_limits<float>::quiet_NaN())));
    CHECK_FALSE(std::isfinite(result(std::numeric_limits<float>::infinity())));
    CHECK(result(0.0f) == 0.0f);
    const float weight = packed.dense[static_cast<size_t>(3 * columns + 40)];
    CHECK(result(1e35f) == doctest::Approx(1e35f * weight));
    CHECK(result(1e-20f) == doctest::Approx(1e-20f * weight));
  }

  TEST_CASE("gemm: several passes over the depth, rows packed once for two products") {
    const int64_t k = 1605, n = 45;
    const std::vector<float> b = noise(k * n, 2);
    for (const int64_t m : {13, 29, 47}) {
      const std::vector<float> a = noise(m * k, 1), bias = noise(n, 8);
      const PackedRows packed(a.data(), k, m, k);
      std::vector<float> expected = product(a, b, m, k, n);
      for (int repeat = 0; repeat < 2; ++repeat) {
        std::vector<float> c(expected.size());
        const GemmTerm term{
            .k = k, .b = {.matrix = b.data(), .stride = n}, .packed = packed.data()};
        gemm({&term, 1}, {.c = c.data(), .stride = n, .m = m, .n = n, .bias = bias.data()});
        for (size_t i = 0; i < c.size(); ++i) c[i] -= bias[i % static_cast<size_t>(n)];
        CHECK(largest_difference(c, expected) < 5e-4f);
      }
    }
  }

  TEST_CASE("gemm: nothing but the output is written, nothing behind the inputs is read") {
    for (int64_t m = 9; m <= 31; m += 2) {
      const int64_t k = 21, n = 33, stride = 40;
      const std::vector<float> a = noise(m * k, 1), b = noise(k * n, 2);
      std::vector<float> c(static_cast<size_t>(m * stride), 7.0f);
      const GemmTerm term{
          .a = a.data(), .stride = k, .k = k, .b = {.matrix = b.data(), .stride = n}};
      gemm({&term, 1}, {.c = c.data(), .stride = stride, .m = m, .n = n});
      const std::vector<float> expected = product(a, b, m, k, n);
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < stride; ++j) {
          const float got = c[static_cast<size_t>(i * stride + j)];
          CHECK(std::abs(got - (j < n ? expected[static_cast<size_t>(i * n + j)] : 7.0f)) < 1e-4f);
        }
    }
  }

  TEST_CASE("outer products: sums over rows") {
    const int64_t m = 19, r = 15, n = 45;
    const std::vector<float> s = noise(m * r, 1), x = noise(m * n, 2);
    std::vector<float> got(static_cast<size_t>(r * n)),
        expected = product(transposed(s, m, r), x, r, m, n);
    for (float& value : expected) value *= 2.0f;
    sum_outer_products({s.data(), r, x.data(), n, m, r, n, 2.0f}, got.data());
    CHECK(largest_difference(got, expected) < 1e-4f);
  }

  TEST_CASE("int8: the error of rounding and no more, in both directions") {
    const int64_t m = 14, rows = 80, columns = 96;
    const Packed packed(rows, columns, 8);
    const auto weight = make_int8_weight(packed.view);
    const std::vector<float> x = noise(m * columns, 1), dy = noise(m * rows, 2);
    const std::vector<float> y =
        product(x, transposed(packed.dense, rows, columns), m, columns, rows);
    const std::vector<float> dx = product(dy, packed.dense, m, rows, columns);
    std::vector<float> got(y.size()), got_dx(dx.size());
    Int8Rows q = scratch_rows(Scratch::kQuantized, m, columns);
    quantize_rows({.x = x.data(), .x_stride = columns, .m = m, .columns = columns}, q);
    int8_gemm({.weight = weight.get(), .a = q},
              {.c = got.data(), .stride = rows, .m = m, .n = rows});
    CHECK(largest_difference(got, y) < 0.15f);
    q = scratch_rows(Scratch::kQuantized, m, rows);
    quantize_rows({.x = dy.data(), .x_stride = rows, .m = m, .columns = rows}, q);
    int8_gemm({.weight = &weight->transposed(packed.view), .a = q},
              {.c = got_dx.data(), .stride = columns, .m = m, .n = columns});
    CHECK(largest_difference(got_dx, dx) < 0.15f);
  }

  TEST_CASE("int8: the sums of whole numbers are exact, in both directions and parts of them") {
    const int64_t rows = 166, columns = 160;  // the last groups have 38 and 32 columns
    const Packed packed(rows, columns, 4);
    const auto forward = make_int8_weight(packed.view);
    for (const Int8Weight* weight : {forward.get(), &forward->transposed(packed.view)})
      for (const int64_t m : {1, 6, 11, 25})
        for (const int64_t begin : {0, 64}) {
          CAPTURE(m);
          CAPTURE(begin);
          const int64_t depth = weight->columns - begin, n = weight->rows - begin / 2;
          const std::vector<float> x = noise(m * depth, 1);
          const Int8Rows a = scratch_rows(Scratch::kQuantized, m, depth);
          quantize_rows({.x = x.data(), .x_stride = depth, .m = m, .columns = depth}, a);
          std::vector<float> got(static_cast<size_t>(m * n)), expected(got.size());
          for (int64_t i = 0; i < m; ++i)
            for (int64_t j = 0; j < n; ++j) {
              double sum = 0;
              for (int64_t k = 0; k < depth; ++k) {
                const int64_t row = j + begin / 2, column = k + begin;
                const int q =
                    weight->block(row / 16 * 16)[column / 4 * 64 + row % 16 * 4 + column % 4] - 128;
                const double scale = weight->group_scales[static_cast<size_t>(
                    column / kInt8Group * weight->padded_rows + row)];
                sum += scale * a.scales[i * a.groups + k / kInt8Group] * q * a.q[i * a.stride + k];
              }
              expected[static_cast<size_t>(i * n + j)] = static_cast<float>(sum);
            }
          int8_gemm({.weight = weight, .row_begin = begin / 2, .column_begin = begin, .a = a},
                    {.c = got.data(), .stride = n, .m = m, .n = n});
          float largest = 0.0f;
          for (const float value : expected) largest = std::max(largest, std::abs(value));
          CHECK(largest_difference(got, expected) < 2e-6f * largest);
        }
  }

  TEST_CASE("int8: a weight and its transpose are within half a step of every packing") {
    for (const auto& [bits, group, rows, columns] :
         {std::tuple{4, 32, 50, 160}, {8, 32, 33, 96}, {4, 128, 150, 384}, {8, 64, 70, 64}}) {
      CAPTURE(bits);
      CAPTURE(group);
      const Packed packed(rows, columns, bits, group);
      const auto forward = make_int8_weight(packed.view);
      for (const bool turned : {false, true}) {
        const Int8Weight& weight = turned ? forward->transposed(packed.view) : *forward;
        float most = 0.0f;  // in steps
        for (int64_t n = 0; n < weight.rows; ++n)
          for (int64_t k = 0; k < weight.columns; ++k) {
            const float exact =
                packed.dense[static_cast<size_t>(turned ? k * columns + n : n * columns + k)];
            const float scale =
                weight.group_scales[static_cast<size_t>(k / kInt8Group * weight.padded_rows + n)];
            const int q = weight.block(n / 16 * 16)[k / 4 * 64 + n % 16 * 4 + k % 4] - 128;
            most = std::max(most, std::abs(exact / scale - static_cast<float>(q)));
          }
        CHECK(most < 0.501f);
      }
    }
  }
}

#include "core/tensor/cpu/fixed_gemm.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

using namespace toolkit::tensor::cpu;

namespace {

struct Packed {
  std::vector<uint32_t> words;
  std::vector<float> scales, biases;
  WeightView view;

  Packed(int64_t rows, int64_t columns, int bits, int group, unsigned seed) {
    std::minstd_rand random(seed);
    words.resize(static_cast<size_t>(rows * columns * bits / 32));
    for (uint32_t& word : words) word = static_cast<uint32_t>(random()) * 2654435761u;
    std::uniform_real_distribution<float> values(-1.0f, 1.0f);
    scales.resize(static_cast<size_t>(rows * columns / group));
    biases.resize(scales.size());
    for (float& value : scales) value = values(random) / static_cast<float>(1 << bits);
    for (float& value : biases) value = values(random);
    view = {words.data(), scales.data(), biases.data(), rows, columns, group, bits};
  }
  double at(int64_t row, int64_t column) const {
    const auto per_word = static_cast<int64_t>(32 / view.bits);
    const int64_t index = row * view.columns + column;
    const uint32_t q =
        words[static_cast<size_t>(index / per_word)] >> (index % per_word * view.bits) &
        ((1u << view.bits) - 1);
    const auto group = static_cast<size_t>(row * view.groups() + column / view.group_size);
    return double{scales[group]} * q + biases[group];
  }
};

std::vector<float> noise(int64_t count, unsigned seed) {
  std::minstd_rand random(seed);
  std::normal_distribution<float> values;
  std::vector<float> result(static_cast<size_t>(count));
  for (float& value : result) value = values(random);
  return result;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("fixed_gemm: products of every packing and shape within the rounding of the inputs") {
    for (const int bits : {4, 8})
      for (const int group : {32, 64, 128})
        for (const auto& [rows, columns] : {std::pair{16, 128}, {37, 384}, {5, 640}}) {
          const Packed weight(rows, columns, bits, group, 3);
          const auto arranged = arrange_weight(weight.view);
          if (!arranged) {
            MESSAGE("SKIPPED: no AVX-512 VNNI here");
            return;
          }
          for (const int64_t count : {1, 2, 3, 5, 8, 9, 17}) {
            const std::vector<float> x = noise(count * columns, 5);
            std::vector<float> y(static_cast<size_t>(count * rows), 77.0f);
            const FixedMap map{arranged.get(), y.data(), rows};
            fixed_gemm(x.data(), count, {&map, 1});
            for (int64_t i = 0; i < count; ++i)
              for (int64_t row = 0; row < rows; ++row) {
                double wanted = 0.0, size = 0.0;
                for (int64_t k = 0; k < columns; ++k) {
                  const double term = weight.at(row, k) * x[static_cast<size_t>(i * columns + k)];
                  wanted += term, size += term * term;
                }
                REQUIRE(std::abs(y[static_cast<size_t>(i * rows + row)] - wanted) <
                        2e-4 * std::sqrt(size) + 1e-6);
              }
          }
        }
  }

  TEST_CASE(
      "fixed_gemm: an input has the result it has alone and what is no number stays visible") {
    constexpr int64_t kRows = 50, kColumns = 256, kCount = 21;
    const Packed weight(kRows, kColumns, 4, 32, 8);
    std::vector<float> x = noise(kCount * kColumns, 9), y(kCount * kRows), alone(kRows);
    x[3 * kColumns + 70] = std::numeric_limits<float>::quiet_NaN();
    for (int64_t k = 0; k < kColumns; ++k) x[static_cast<size_t>(5 * kColumns + k)] = 0.0f;
    const auto arranged = arrange_weight(weight.view);
    if (!arranged) {
      MESSAGE("SKIPPED: no AVX-512 VNNI here");
      return;
    }
    const FixedMap all{arranged.get(), y.data(), kRows};
    fixed_gemm(x.data(), kCount, {&all, 1});
    for (int64_t i = 0; i < kCount; ++i) {
      const FixedMap one{arranged.get(), alone.data(), kRows};
      fixed_gemm(x.data() + i * kColumns, 1, {&one, 1});
      for (int64_t row = 0; row < kRows; ++row) {
        const float value = y[static_cast<size_t>(i * kRows + row)];
        if (i == 3)
          CHECK(std::isnan(value));
        else
          CHECK(value == alone[static_cast<size_t>(row)]);
        if (i == 5) CHECK(value == 0.0f);
      }
    }
  }
}

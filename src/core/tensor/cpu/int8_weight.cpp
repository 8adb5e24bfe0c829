#include <algorithm>
#include <cmath>

#include "core/tensor/cpu/gemm.h"
#include "core/tensor/cpu/int8_gemm.h"
#include "core/tensor/cpu/thread_pool.h"

namespace toolkit::tensor::cpu {

namespace {

int64_t round_up(int64_t value, int64_t to) {
  return (value + to - 1) / to * to;
}

/// One row of a weight whose scales are f32.
void read_row(const WeightView& weight, const float* scales, const float* biases, int64_t row,
              float* out) {
  if (!weight.quantized()) return convert_row(weight, row, out);
  const auto* bytes = static_cast<const uint8_t*>(weight.data) + row * weight.words_per_row() * 4;
  for (int64_t g = 0; g < weight.groups(); ++g) {
    const float scale = scales[row * weight.groups() + g], bias = biases[row * weight.groups() + g];
    for (int64_t j = g * weight.group_size; j < (g + 1) * weight.group_size; ++j) {
      const int q = weight.bits == 8 ? bytes[j] : (bytes[j / 2] >> (j % 2 * 4)) & 15;
      out[j] = scale * static_cast<float>(q) + bias;
    }
  }
}

}  // namespace

std::shared_ptr<const Int8Weight> make_int8_weight(const WeightView& weight) {
  auto result = std::make_shared<Int8Weight>();
  Int8Weight& w = *result;
  w.rows = weight.rows;
  w.columns = weight.columns;
  w.padded_rows = round_up(w.rows, 32);
  w.padded_columns = round_up(w.columns, 32);
  w.packed.resize(static_cast<size_t>(w.padded_rows * w.padded_columns));
  w.scales.resize(static_cast<size_t>(w.padded_rows));
  w.row_sums.resize(static_cast<size_t>(w.padded_rows));
  std::vector<float> scales, biases;
  if (weight.quantized()) {
    scales.resize(static_cast<size_t>(weight.rows * weight.groups()));
    biases.resize(scales.size());
    convert_scales(weight, scales.data(), biases.data());
  }
  parallel_for(w.rows, 16, [&](int64_t begin, int64_t end, int) {
    std::vector<float> values(static_cast<size_t>(w.columns));
    for (int64_t row = begin; row < end; ++row) {
      read_row(weight, scales.data(), biases.data(), row, values.data());
      float largest = 0.0f;
      for (const float value : values) largest = std::max(largest, std::abs(value));
      const float inverse = largest > 1e-30f ? 127.0f / largest : 0.0f;
      int8_t* block = w.packed.data() + row / 16 * 16 * w.padded_columns + row % 16 * 4;
      int32_t sum = 0;
      for (int64_t k = 0; k < w.columns; ++k) {
        const auto q = static_cast<int8_t>(std::lrint(values[static_cast<size_t>(k)] * inverse));
        block[k / 4 * 64 + k % 4] = q;
        sum += q;
      }
      w.scales[static_cast<size_t>(row)] = largest / 127.0f;
      w.row_sums[static_cast<size_t>(row)] = sum;
    }
  });
  return result;
}

}  // namespace toolkit::tensor::cpu

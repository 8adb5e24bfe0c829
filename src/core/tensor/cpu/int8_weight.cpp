#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/tensor/cpu/gemm.h"
#include "core/tensor/cpu/int8_gemm.h"
#include "core/tensor/cpu/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/int8_weight.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// A weight and, if it is quantized, its groups' scales and biases as f32.
struct WeightRows {
  const WeightView& weight;
  const float* scales;
  const float* biases;
};

/// out = 128 + round(factor * x), in whole vectors: both buffers reach past `count`.
HWY_INLINE void round_floats(const float* HWY_RESTRICT x, float factor, int64_t count,
                             uint8_t* HWY_RESTRICT out) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::Rebind<uint8_t, decltype(d)> du8;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t k = 0; k < count; k += lanes) {
    const auto q = hn::NearestInt(hn::Mul(hn::LoadU(d, x + k), hn::Set(d, factor)));
    hn::StoreU(hn::DemoteTo(du8, hn::Add(q, hn::Set(di, 128))), du8, out + k);
  }
}

/// A group of 4 bits has 16 values: they are rounded once and looked up.
HWY_INLINE void round_codes4(const uint8_t* HWY_RESTRICT bytes, int64_t count, float scale,
                             float bias, uint8_t* HWY_RESTRICT out) {
  const hn::Full128<uint8_t> d;
  const hn::Full128<uint16_t> d16;
  HWY_ALIGN float values[16];
  HWY_ALIGN uint8_t rounded[16];
  for (int code = 0; code < 16; ++code) values[code] = scale * static_cast<float>(code) + bias;
  round_floats(values, 1.0f, 16, rounded);
  const auto table = hn::Load(d, rounded);
  const auto low_half = hn::Set(d, 15);
  for (int64_t k = 0; k < count; k += 32, bytes += 16) {
    const auto both = hn::LoadU(d, bytes);
    const auto high = hn::And(hn::BitCast(d, hn::ShiftRight<4>(hn::BitCast(d16, both))), low_half);
    const auto even = hn::TableLookupBytes(table, hn::And(both, low_half));
    const auto odd = hn::TableLookupBytes(table, high);
    hn::StoreU(hn::InterleaveLower(d, even, odd), d, out + k);
    hn::StoreU(hn::InterleaveUpper(d, even, odd), d, out + k + 16);
  }
}

HWY_INLINE void round_codes8(const uint8_t* HWY_RESTRICT bytes, int64_t count, float scale,
                             float bias, uint8_t* HWY_RESTRICT out) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::Rebind<uint8_t, decltype(d)> du8;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t k = 0; k < count; k += lanes) {
    const auto code = hn::ConvertTo(d, hn::PromoteTo(di, hn::LoadU(du8, bytes + k)));
    const auto q = hn::NearestInt(hn::MulAdd(code, hn::Set(d, scale), hn::Set(d, bias)));
    hn::StoreU(hn::DemoteTo(du8, hn::Add(q, hn::Set(di, 128))), du8, out + k);
  }
}

/// Largest magnitude of columns [begin, end), or of what a packed weight's codes could stand for.
HWY_INLINE float largest_magnitude(const WeightRows& w, int64_t row, int64_t begin, int64_t end,
                                   const float* values) {
  float largest = 0.0f;
  if (!w.weight.quantized()) {
    for (int64_t k = begin; k < end; ++k) largest = std::max(largest, std::abs(values[k]));
    return largest;
  }
  const float last_code = w.weight.bits == 8 ? 255.0f : 15.0f;
  const int64_t groups = w.weight.groups(), size = w.weight.group_size;
  for (int64_t k = begin; k < end; k += size) {
    const float scale = w.scales[row * groups + k / size], bias = w.biases[row * groups + k / size];
    largest = std::max({largest, std::abs(bias), std::abs(scale * last_code + bias)});
  }
  return largest;
}

/// Columns [begin, end) of a row as bytes; returns their scale. `values`: the row, if it is dense.
HWY_INLINE float round_group(const WeightRows& w, int64_t row, int64_t begin, int64_t end,
                             const float* values, uint8_t* out) {
  const WeightView& weight = w.weight;
  const float largest = largest_magnitude(w, row, begin, end, values);
  const float inverse = largest > 1e-30f ? 127.0f / largest : 0.0f;
  if (!weight.quantized()) {
    round_floats(values + begin, inverse, end - begin, out + begin);
    return largest / 127.0f;
  }
  const auto* bytes = static_cast<const uint8_t*>(weight.data) + row * weight.words_per_row() * 4;
  const int64_t size = std::min<int64_t>(weight.group_size, kInt8Group);
  for (int64_t k = begin; k < end; k += size) {
    const int64_t group = row * weight.groups() + k / weight.group_size;
    const float scale = w.scales[group] * inverse, bias = w.biases[group] * inverse;
    if (weight.bits == 4) {
      round_codes4(bytes + k / 2, size, scale, bias, out + k);
    } else {
      round_codes8(bytes + k, size, scale, bias, out + k);
    }
  }
  return largest / 127.0f;
}

HWY_NOINLINE void round_row(const WeightRows& w, int64_t row, float* values, uint8_t* out,
                            Int8Weight& to) {
  if (!w.weight.quantized()) convert_row(w.weight, row, values);
  float* scales = to.group_scales.data() + row;
  float largest = 0.0f;
  for (int64_t begin = 0; begin < to.columns; begin += kInt8Group, scales += to.padded_rows) {
    *scales = round_group(w, row, begin, std::min(begin + kInt8Group, to.columns), values, out);
    largest = std::max(largest, *scales);
  }
  to.scales[static_cast<size_t>(row)] = largest;
  scales = to.group_scales.data() + row;
  int16_t* ratios = to.ratios.data() + row;
  for (int64_t begin = 0; begin < to.columns; begin += kInt8Group) {
    *ratios = static_cast<int16_t>(largest > 0.0f ? *scales / largest * 32767.0f : 0.0f);
    scales += to.padded_rows;
    ratios += to.padded_rows;
  }
}

void round_rows(const WeightView& weight, const float* scales, const float* biases,
                Int8Weight& to) {
  const WeightRows rows{weight, scales, biases};
  parallel_for(to.rows, 16, [&](int64_t begin, int64_t end, int) {
    std::vector<float> values(static_cast<size_t>(to.padded_columns));
    std::vector<uint8_t> bytes(static_cast<size_t>(to.padded_columns));
    for (int64_t row = begin; row < end; ++row) {
      round_row(rows, row, values.data(), bytes.data(), to);
      std::fill(bytes.begin() + to.columns, bytes.end(), uint8_t{128});
      uint8_t* block = to.packed.data() + row / 16 * 16 * to.padded_columns + row % 16 * 4;
      for (int64_t k = 0; k < to.padded_columns; k += 4, block += 64)
        std::memcpy(block, bytes.data() + k, 4);
    }
  });
}

}  // namespace toolkit::tensor::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(round_rows);

std::shared_ptr<const Int8Weight> make_int8_weight(const WeightView& weight) {
  const auto round_up = [](int64_t value) { return (value + 31) / 32 * 32; };
  auto result = std::make_shared<Int8Weight>();
  result->rows = weight.rows;
  result->columns = weight.columns;
  result->padded_rows = round_up(weight.rows);
  result->padded_columns = round_up(weight.columns);
  result->packed.resize(static_cast<size_t>(result->padded_rows * result->padded_columns), 128);
  const int64_t groups = (weight.columns + kInt8Group - 1) / kInt8Group;
  result->scales.resize(static_cast<size_t>(result->padded_rows));
  result->group_scales.resize(static_cast<size_t>(groups * result->padded_rows));
  result->ratios.resize(result->group_scales.size());
  std::vector<float> scales, biases;
  if (weight.quantized()) {
    scales.resize(static_cast<size_t>(weight.rows * weight.groups()));
    biases.resize(scales.size());
    convert_scales(weight, scales.data(), biases.data());
  }
  HWY_DYNAMIC_DISPATCH(round_rows)(weight, scales.data(), biases.data(), *result);
  return result;
}

}  // namespace toolkit::tensor::cpu
#endif

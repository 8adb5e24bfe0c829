#include <algorithm>
#include <cstring>

#include "core/tensor/cpu/gemm.h"
#include "core/tensor/cpu/int8_gemm.h"
#include "core/tensor/cpu/int8_tile.h"
#include "core/tensor/cpu/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/int8_weight.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "core/tensor/cpu/pack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kWidth = kInt8TileColumns;
constexpr int64_t kDepth = 128;  // rows expanded at once: whole groups of a packed weight

/// Rounds a group, `count` rows of 32 columns, to one scale per column; four rows lie together in
/// `blocks`, 16 columns each.
HWY_INLINE void round_group(const float* HWY_RESTRICT values, int64_t count,
                            float* HWY_RESTRICT scales, uint8_t* const (&blocks)[2]) {
  const hn::CappedTag<float, 16> d;
  const hn::RebindToSigned<decltype(d)> di;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t column = 0; column < kWidth; column += lanes) {
    const float* x = values + column;
    auto largest = hn::Zero(d);
    for (int64_t k = 0; k < count; ++k)
      largest = hn::Max(largest, hn::Abs(hn::LoadU(d, x + k * kWidth)));
    // Numbers too small to divide by are zero.
    const auto used = hn::Gt(largest, hn::Set(d, 1e-30f));
    const auto inverse = hn::IfThenElseZero(used, hn::Div(hn::Set(d, 127.0f), largest));
    hn::StoreU(hn::Mul(largest, hn::Set(d, 1.0f / 127.0f)), d, scales + column);
    uint8_t* out = blocks[column / 16] + column % 16 * 4;
    const auto code = [&](int64_t k) {
      auto q = hn::Zero(di);
      if (k < count) q = hn::NearestInt(hn::Mul(hn::LoadU(d, x + k * kWidth), inverse));
      return hn::And(hn::Add(q, hn::Set(di, 128)), hn::Set(di, 255));
    };
    for (int64_t k = 0; k < count; k += 4, out += 64) {
      const auto low = hn::Or(code(k), hn::ShiftLeft<8>(code(k + 1)));
      const auto high = hn::Or(code(k + 2), hn::ShiftLeft<8>(code(k + 3)));
      hn::StoreU(hn::Or(low, hn::ShiftLeft<16>(high)), di, reinterpret_cast<int32_t*>(out));
    }
  }
}

void round_columns(const RightFactor& factor, Int8Weight& to) {
  parallel_for(to.padded_rows / kWidth, 1, [&](int64_t begin, int64_t end, int) {
    HWY_ALIGN float values[kDepth * kWidth] = {};
    for (int64_t panel = begin; panel < end; ++panel) {
      const int64_t n = panel * kWidth, columns = std::min(kWidth, to.rows - n);
      for (int64_t k = 0; k < to.columns; k += kDepth) {
        const int64_t k1 = std::min(k + kDepth, to.columns);
        fill_panel(factor, {k, k1, n, columns, kWidth}, values);
        for (int64_t from = k; from < k1; from += kInt8Group)
          round_group(values + (from - k) * kWidth, std::min(kInt8Group, k1 - from),
                      to.group_scales.data() + from / kInt8Group * to.padded_rows + n,
                      {to.block(n) + 16 * from, to.block(n + 16) + 16 * from});
      }
    }
  });
}

}  // namespace toolkit::tensor::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(round_columns);

Int8Weight::Int8Weight(int64_t row_count, int64_t column_count)
    : rows(row_count),
      columns(column_count),
      padded_rows((rows + 31) / 32 * 32),
      padded_columns((columns + 31) / 32 * 32),
      group_scales(static_cast<size_t>((columns + kInt8Group - 1) / kInt8Group * padded_rows)),
      packed_(padded_rows * padded_columns / 4) {
  std::memset(packed_.data(), 128, static_cast<size_t>(padded_rows * padded_columns));
}

namespace {

void fill(const WeightView& weight, RightFactor::Form form, Int8Weight& to) {
  std::vector<float> scales, biases;
  if (weight.quantized()) {
    scales.resize(static_cast<size_t>(weight.rows * weight.groups()));
    biases.resize(scales.size());
    convert_scales(weight, scales.data(), biases.data());
  }
  const RightFactor factor{
      .form = form, .weight = weight, .scales = scales.data(), .biases = biases.data()};
  HWY_DYNAMIC_DISPATCH(round_columns)(factor, to);
}

}  // namespace

const Int8Weight& Int8Weight::transposed(const WeightView& weight) const {
  std::call_once(transposed_once_, [&] {
    auto made = std::make_unique<Int8Weight>(columns, rows);
    fill(weight, RightFactor::Form::kWeight, *made);
    transposed_ = std::move(made);
  });
  return *transposed_;
}

std::shared_ptr<const Int8Weight> make_int8_weight(const WeightView& weight) {
  auto made = std::make_shared<Int8Weight>(weight.rows, weight.columns);
  fill(weight, RightFactor::Form::kWeightTransposed, *made);
  return made;
}

}  // namespace toolkit::tensor::cpu
#endif

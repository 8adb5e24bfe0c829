// Expands a panel of the right factor of a product to f32. Included once per target by
// foreach_target.

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "core/tensor/cpu/float_load-inl.h"
#include "core/tensor/cpu/gemm.h"
#include "core/tensor/cpu/scratch.h"
#include "core/tensor/cpu/transpose-inl.h"

#if defined(TOOLKIT_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOOLKIT_PACK_INL_H_
#undef TOOLKIT_PACK_INL_H_
#else
#define TOOLKIT_PACK_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// The part of B one panel holds: rows [k0, k1), columns [n0, n0 + columns). A panel is `width`
/// floats wide (a multiple of the vector), rows follow each other; missing columns hold anything.
struct PanelRange {
  int64_t k0, k1, n0, columns, width;
};

HWY_INLINE void clear_missing_columns(const PanelRange& range, float* panel) {
  for (int64_t k = range.k0; k < range.k1; ++k, panel += range.width)
    for (int64_t j = range.columns; j < range.width; ++j) panel[j] = 0.0f;
}

/// Words of 16 rows side by side hold 32 / kBits consecutive k of each row: masks instead of a
/// transposition per element. Shifts are avoided by scaling with exact powers of two.
template <int kBits>
HWY_INLINE void expand_transposed_words(const uint32_t* HWY_RESTRICT words,
                                        const float* HWY_RESTRICT scales,
                                        const float* HWY_RESTRICT biases, int64_t word_count,
                                        int words_per_group, int64_t width,
                                        float* HWY_RESTRICT panel) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::RebindToUnsigned<decltype(d)> du;
  constexpr int kPerWord = 32 / kBits;
  constexpr uint32_t kMask = (1u << kBits) - 1;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t column = 0; column < width; column += lanes) {
    for (int64_t w = 0; w < word_count; w += words_per_group) {
      const int64_t group = w / words_per_group;
      const auto scale = hn::Load(d, scales + group * width + column);
      const auto bias = hn::Load(d, biases + group * width + column);
      for (int64_t word = w; word < w + words_per_group; ++word) {
        const auto q = hn::Load(du, words + word * width + column);
        float* to = panel + word * kPerWord * width + column;
        auto factor = scale;
        for (int e = 0; e < kPerWord - 1; ++e, to += width) {
          const auto value =
              hn::ConvertTo(d, hn::BitCast(di, hn::And(q, hn::Set(du, kMask << (e * kBits)))));
          hn::Store(hn::MulAdd(value, factor, bias), d, to);
          factor = hn::Mul(factor, hn::Set(d, 1.0f / (1u << kBits)));
        }
        const auto last = hn::ConvertTo(d, hn::BitCast(di, hn::ShiftRight<32 - kBits>(q)));
        hn::Store(hn::MulAdd(last, scale, bias), d, to);
      }
    }
  }
}

/// B(k, n) = weight[n][k] of a quantized weight; k0 is a multiple of the group.
HWY_INLINE void expand_quantized_transposed(const RightFactor& b, const PanelRange& range,
                                            float* panel) {
  const WeightView& weight = b.weight;
  const int per_word = 32 / weight.bits;
  const int64_t width = range.width, depth = range.k1 - range.k0;
  const int64_t words = depth / per_word, groups = depth / weight.group_size,
                group0 = range.k0 / weight.group_size;
  uint32_t* mixed =
      scratch<uint32_t>(Scratch::kRows, static_cast<size_t>((words + 2 * groups) * width));
  float* scales = reinterpret_cast<float*>(mixed + words * width);
  float* biases = scales + groups * width;
  if (range.columns < width)
    for (int64_t i = 0; i < (words + 2 * groups) * width; ++i) mixed[i] = 0;
  transpose_words(static_cast<const uint32_t*>(weight.data) + range.n0 * weight.words_per_row() +
                      range.k0 / per_word,
                  weight.words_per_row(), range.columns, words, mixed, width);
  const int64_t first = range.n0 * weight.groups() + group0;
  transpose_words(reinterpret_cast<const uint32_t*>(b.scales + first), weight.groups(),
                  range.columns, groups, reinterpret_cast<uint32_t*>(scales), width);
  transpose_words(reinterpret_cast<const uint32_t*>(b.biases + first), weight.groups(),
                  range.columns, groups, reinterpret_cast<uint32_t*>(biases), width);
  const int words_per_group = weight.group_size / per_word;
  if (weight.bits == 4) {
    expand_transposed_words<4>(mixed, scales, biases, words, words_per_group, width, panel);
  } else {
    expand_transposed_words<8>(mixed, scales, biases, words, words_per_group, width, panel);
  }
}

/// B(k, n) = weight[k][n] of a quantized weight. A panel is two vectors wide and lies in one group.
template <int kBits>
HWY_INLINE void expand_quantized(const RightFactor& b, const PanelRange& range,
                                 float* HWY_RESTRICT panel) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::RebindToUnsigned<decltype(d)> du;
  const hn::Rebind<uint8_t, decltype(d)> du8;
  const WeightView& weight = b.weight;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t groups = weight.groups(), group = range.n0 / weight.group_size;
  const int64_t row_bytes = weight.words_per_row() * 4;
  const uint8_t* row =
      static_cast<const uint8_t*>(weight.data) + range.k0 * row_bytes + range.n0 * kBits / 8;
  const float* scale_at = b.scales + range.k0 * groups + group;
  const float* bias_at = b.biases + range.k0 * groups + group;
  // 4 bits: byte i / 2 goes to lane i; odd lanes keep the high half, 16 times too large.
  const auto lane = hn::Iota(di, 0);
  const auto odd = hn::And(lane, hn::Set(di, 1));
  const auto mask =
      hn::BitCast(du, hn::IfThenElse(hn::Eq(odd, hn::Zero(di)), hn::Set(di, 15), hn::Set(di, 240)));
  const auto shrink = hn::IfThenElse(hn::RebindMask(d, hn::Eq(odd, hn::Zero(di))), hn::Set(d, 1.0f),
                                     hn::Set(d, 1.0f / 16));
  const auto first = hn::IndicesFromVec(d, hn::ShiftRight<1>(lane));
  const auto second = hn::IndicesFromVec(
      d, hn::Add(hn::ShiftRight<1>(lane), hn::Set(di, static_cast<int32_t>(lanes / 2))));
  constexpr int64_t kAhead = 16;  // rows are too far apart for the hardware to guess the next
  for (int64_t k = range.k0; k < range.k1; ++k) {
    hwy::Prefetch(row + kAhead * row_bytes);
    hwy::Prefetch(scale_at + kAhead * groups);
    hwy::Prefetch(bias_at + kAhead * groups);
    auto scale = hn::Set(d, *scale_at);
    const auto bias = hn::Set(d, *bias_at);
    hn::Vec<decltype(du)> low, high;
    if constexpr (kBits == 8) {
      low = hn::PromoteTo(du, hn::LoadU(du8, row));
      high = hn::PromoteTo(du, hn::LoadU(du8, row + lanes));
    } else {
      const auto bytes = hn::BitCast(d, hn::PromoteTo(du, hn::LoadU(du8, row)));
      low = hn::And(hn::BitCast(du, hn::TableLookupLanes(bytes, first)), mask);
      high = hn::And(hn::BitCast(du, hn::TableLookupLanes(bytes, second)), mask);
      scale = hn::Mul(scale, shrink);
    }
    hn::Store(hn::MulAdd(hn::ConvertTo(d, hn::BitCast(di, low)), scale, bias), d, panel);
    hn::Store(hn::MulAdd(hn::ConvertTo(d, hn::BitCast(di, high)), scale, bias), d, panel + lanes);
    row += row_bytes;
    scale_at += groups;
    bias_at += groups;
    panel += range.width;
  }
}

/// B(k, n) = source[n * stride + k] of floats.
HWY_INLINE void expand_floats_transposed(const void* source, FloatType type, int64_t stride,
                                         float factor, const PanelRange& range,
                                         float* HWY_RESTRICT panel) {
  const int64_t depth = range.k1 - range.k0;
  if (type == FloatType::kFloat32) {
    transpose_words(static_cast<const uint32_t*>(source) + range.n0 * stride + range.k0, stride,
                    range.columns, depth, reinterpret_cast<uint32_t*>(panel), range.width);
  } else {
    float* rows = scratch<float>(Scratch::kRows, static_cast<size_t>(depth * range.columns));
    for (int64_t j = 0; j < range.columns; ++j)
      convert_floats(source, type, (range.n0 + j) * stride + range.k0, depth, rows + j * depth);
    transpose_words(reinterpret_cast<const uint32_t*>(rows), depth, range.columns, depth,
                    reinterpret_cast<uint32_t*>(panel), range.width);
  }
  if (range.columns < range.width) clear_missing_columns(range, panel);
  if (factor != 1.0f)
    for (int64_t i = 0; i < depth * range.width; ++i) panel[i] *= factor;
}

/// B(k, n) = source[k * stride + n] of floats.
HWY_INLINE void expand_floats(const void* source, FloatType type, int64_t stride, float factor,
                              const PanelRange& range, float* HWY_RESTRICT panel) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto by = hn::Set(d, factor);
  const bool whole = range.columns == range.width;
  for (int64_t k = range.k0; k < range.k1; ++k, panel += range.width) {
    const int64_t at = k * stride + range.n0;
    if (whole) {
      for (int64_t j = 0; j < range.width; j += lanes)
        hn::Store(hn::Mul(load_floats(d, source, type, at + j), by), d, panel + j);
    } else {
      convert_floats(source, type, at, range.columns, panel);
      for (int64_t j = 0; j < range.columns; ++j) panel[j] *= factor;
      for (int64_t j = range.columns; j < range.width; ++j) panel[j] = 0.0f;
    }
  }
}

HWY_INLINE void fill_panel(const RightFactor& b, const PanelRange& range, float* panel) {
  const WeightView& weight = b.weight;
  switch (b.form) {
    case RightFactor::Form::kWeightTransposed:
      if (weight.quantized()) return expand_quantized_transposed(b, range, panel);
      return expand_floats_transposed(weight.data, weight.type, weight.columns, 1.0f, range, panel);
    case RightFactor::Form::kWeight:
      if (weight.bits == 4) return expand_quantized<4>(b, range, panel);
      if (weight.bits == 8) return expand_quantized<8>(b, range, panel);
      return expand_floats(weight.data, weight.type, weight.columns, 1.0f, range, panel);
    case RightFactor::Form::kMatrix:
      return expand_floats(b.matrix, FloatType::kFloat32, b.stride, b.factor, range, panel);
    case RightFactor::Form::kMatrixTransposed:
      return expand_floats_transposed(b.matrix, FloatType::kFloat32, b.stride, b.factor, range,
                                      panel);
  }
}

}  // namespace toolkit::tensor::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

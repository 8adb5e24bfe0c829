#include "core/tensor/cpu/gemv.h"

#include <algorithm>

#include "core/tensor/cpu/gemv_fixed.h"
#include "core/tensor/cpu/scratch.h"
#include "core/tensor/cpu/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/gemv.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "core/tensor/cpu/float_load-inl.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu::HWY_NAMESPACE {

constexpr int64_t kRowsPerBlock = 8;  // whose scales are converted together
constexpr int64_t kStep = 32;         // the smallest group
constexpr int64_t kPadding = 16;      // floats that a vector may read past the end
constexpr int64_t kAhead = 8192;      // bytes of a weight asked for before they are used

/// The inputs as the kernels like them, made once per call.
struct Inputs {
  const float* plain;   // (count, columns)
  const float* halves;  // the same with each 32 split into even and odd: the order of 4-bit nibbles
  const float* sums;    // (count, columns / 32)
  int64_t count, columns;
};

Inputs arrange(const float* x, int64_t count, int64_t columns) {
  const int64_t steps = columns / kStep;
  float* halves =
      scratch<float>(Scratch::kActivation, static_cast<size_t>(count * (columns + steps)));
  float* sums = halves + count * columns;
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t s = 0; s < steps; ++s) {
      const float* from = x + i * columns + s * kStep;
      float* to = halves + i * columns + s * kStep;
      float sum = 0.0f;
      for (int64_t j = 0; j < kStep / 2; ++j) {
        to[j] = from[2 * j];
        to[kStep / 2 + j] = from[2 * j + 1];
        sum += from[2 * j] + from[2 * j + 1];
      }
      sums[i * steps + s] = sum;
    }
  }
  return {x, halves, sums, count, columns};
}

/// Adds 32 weights x inputs to part[input]; `row` points at the packed step.
template <int kBits, int kInputs, class V>
HWY_INLINE void add_step(const uint8_t* HWY_RESTRICT row, const float* HWY_RESTRICT x,
                         int64_t columns, V* part) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::RebindToUnsigned<decltype(d)> du;
  const hn::Rebind<uint8_t, decltype(d)> du8;
  constexpr int64_t kLanes = hn::MaxLanes(hn::ScalableTag<float>());
  if constexpr (kBits == 4) {
    for (int64_t j = 0; j < kStep / 2; j += kLanes) {
      const auto bytes = hn::PromoteTo(du, hn::LoadU(du8, row + j));
      const V even = hn::ConvertTo(d, hn::BitCast(di, hn::And(bytes, hn::Set(du, 15))));
      const V odd = hn::ConvertTo(d, hn::BitCast(di, hn::ShiftRight<4>(bytes)));
      for (int i = 0; i < kInputs; ++i) {
        part[i] = hn::MulAdd(even, hn::LoadU(d, x + i * columns + j), part[i]);
        part[i] = hn::MulAdd(odd, hn::LoadU(d, x + i * columns + kStep / 2 + j), part[i]);
      }
    }
  } else {
    for (int64_t j = 0; j < kStep; j += kLanes) {
      const V q = hn::ConvertTo(d, hn::BitCast(di, hn::PromoteTo(du, hn::LoadU(du8, row + j))));
      for (int i = 0; i < kInputs; ++i)
        part[i] = hn::MulAdd(q, hn::LoadU(d, x + i * columns + j), part[i]);
    }
  }
}

template <int kInputs>
HWY_INLINE void store_row(const GemvMap& map, int64_t row, int64_t first, const float* values) {
  for (int i = 0; i < kInputs; ++i) {
    float& y = map.y[(first + i) * map.y_stride + row];
    y = values[i] + (map.bias ? map.bias[row] : 0.0f) + (map.accumulate ? y : 0.0f);
  }
}

/// What the rows of one block share.
struct BlockScales {
  const float* scales;  // (rows, groups)
  const float* biases;
  const float* group_sums;  // (inputs, groups), padded with zeros
};

/// kRows rows of a quantized weight against kInputs inputs from `first` on: the sum over groups of
/// scale * (q . x) + bias * sum(x). Rows go together so that the ends of their sums overlap.
template <int kBits, int kInputs, int kRows>
HWY_INLINE void quantized_rows(const GemvMap& map, int64_t row, const BlockScales& block,
                               int64_t row_in_block, const Inputs& inputs, int64_t first) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  constexpr int64_t kLanes = hn::MaxLanes(hn::ScalableTag<float>());
  const WeightView& weight = map.weight;
  const int64_t groups = weight.groups(), columns = inputs.columns, padded = groups + kPadding;
  const int64_t steps = weight.group_size / kStep, row_bytes = weight.words_per_row() * 4;
  const uint8_t* bytes = static_cast<const uint8_t*>(weight.data) + row * row_bytes;
  const float* scales = block.scales + row_in_block * groups;
  const float* biases = block.biases + row_in_block * groups;
  const float* x = (kBits == 4 ? inputs.halves : inputs.plain) + first * columns;
  V sum[kRows][kInputs];
  for (int r = 0; r < kRows; ++r)
    for (int i = 0; i < kInputs; ++i) sum[r][i] = hn::Zero(d);
  for (int64_t g = 0; g < groups; g += kLanes) {
    for (int r = 0; r < kRows; ++r) {
      const V bias = hn::LoadU(d, biases + r * groups + g);
      for (int i = 0; i < kInputs; ++i)
        sum[r][i] =
            hn::MulAdd(bias, hn::LoadU(d, block.group_sums + (first + i) * padded + g), sum[r][i]);
    }
  }
  for (int64_t g = 0; g < groups; ++g) {
    for (int64_t s = 0; s < steps; ++s, bytes += kStep * kBits / 8, x += kStep) {
      for (int r = 0; r < kRows; ++r) {
        V part[kInputs];
        for (int i = 0; i < kInputs; ++i) part[i] = hn::Zero(d);
        add_step<kBits, kInputs>(bytes + r * row_bytes, x, columns, part);
        const V scale = hn::Set(d, scales[r * groups + g]);
        for (int i = 0; i < kInputs; ++i) sum[r][i] = hn::MulAdd(part[i], scale, sum[r][i]);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    float values[kInputs];
    for (int i = 0; i < kInputs; ++i) values[i] = hn::GetLane(hn::SumOfLanes(d, sum[r][i]));
    store_row<kInputs>(map, row + r, first, values);
  }
}

#if HWY_TARGET == HWY_AVX3
/// The same for 4 bits with vectors of 16: the values of a group are a table of one register, and a
/// nibble picks its value (the permutation looks at the low four bits only), ready to be
/// multiplied.
template <int kInputs, int kRows>
HWY_INLINE void table_rows(const GemvMap& map, int64_t row, const BlockScales& block,
                           int64_t row_in_block, const Inputs& inputs, int64_t first) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const hn::RebindToUnsigned<decltype(d)> du;
  const hn::Rebind<uint8_t, decltype(d)> du8;
  const WeightView& weight = map.weight;
  const int64_t groups = weight.groups(), columns = inputs.columns;
  const int64_t steps = weight.group_size / kStep, row_bytes = weight.words_per_row() * 4;
  const uint8_t* bytes = static_cast<const uint8_t*>(weight.data) + row * row_bytes;
  const float* scales = block.scales + row_in_block * groups;
  const float* biases = block.biases + row_in_block * groups;
  const float* x = inputs.halves + first * columns;
  const V numbers = hn::Iota(d, 0.0f);
  V low[kRows][kInputs], high[kRows][kInputs];
  for (int r = 0; r < kRows; ++r)
    for (int i = 0; i < kInputs; ++i) low[r][i] = high[r][i] = hn::Zero(d);
  for (int64_t g = 0; g < groups; ++g) {
    V table[kRows];
    for (int r = 0; r < kRows; ++r)
      table[r] = hn::MulAdd(hn::Set(d, scales[r * groups + g]), numbers,
                            hn::Set(d, biases[r * groups + g]));
    for (int64_t s = 0; s < steps; ++s, bytes += kStep / 2, x += kStep) {
      for (int r = 0; r < kRows; ++r) {
        const auto pairs = hn::PromoteTo(du, hn::LoadU(du8, bytes + r * row_bytes));
        const V even = hn::TableLookupLanes(table[r], hn::Indices512<float>{pairs.raw});
        const V odd =
            hn::TableLookupLanes(table[r], hn::Indices512<float>{hn::ShiftRight<4>(pairs).raw});
        for (int i = 0; i < kInputs; ++i) {
          low[r][i] = hn::MulAdd(even, hn::LoadU(d, x + i * columns), low[r][i]);
          high[r][i] = hn::MulAdd(odd, hn::LoadU(d, x + i * columns + kStep / 2), high[r][i]);
        }
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    float values[kInputs];
    for (int i = 0; i < kInputs; ++i)
      values[i] = hn::GetLane(hn::SumOfLanes(d, hn::Add(low[r][i], high[r][i])));
    store_row<kInputs>(map, row + r, first, values);
  }
}
#endif

template <int kInputs>
HWY_INLINE void dense_row(const GemvMap& map, int64_t row, const Inputs& inputs, int64_t first) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  constexpr int64_t kLanes = hn::MaxLanes(hn::ScalableTag<float>());
  const int64_t columns = inputs.columns, begin = row * columns;
  const float* x = inputs.plain + first * columns;
  V sum[kInputs];
  for (int i = 0; i < kInputs; ++i) sum[i] = hn::Zero(d);
  int64_t k = 0;
  for (; k + kLanes <= columns; k += kLanes) {
    const V w = load_floats(d, map.weight.data, map.weight.type, begin + k);
    for (int i = 0; i < kInputs; ++i)
      sum[i] = hn::MulAdd(w, hn::LoadU(d, x + i * columns + k), sum[i]);
  }
  float values[kInputs];
  for (int i = 0; i < kInputs; ++i) values[i] = hn::GetLane(hn::SumOfLanes(d, sum[i]));
  for (; k < columns; ++k) {
    const hn::CappedTag<float, 1> d1;
    const float w = hn::GetLane(load_floats(d1, map.weight.data, map.weight.type, begin + k));
    for (int i = 0; i < kInputs; ++i) values[i] += w * x[i * columns + k];
  }
  store_row<kInputs>(map, row, first, values);
}

template <int kBits, int kInputs>
HWY_INLINE void run_quantized_rows(const GemvMap& map, int64_t begin, int64_t end,
                                   const BlockScales& block, const Inputs& inputs, int64_t first) {
  constexpr int kRows = kInputs == 1 ? 4 : kInputs == 2 ? 2 : 1;
  int64_t row = begin;
#if HWY_TARGET == HWY_AVX3
  if constexpr (kBits == 4) {
    for (; row + kRows <= end; row += kRows)
      table_rows<kInputs, kRows>(map, row, block, row - begin, inputs, first);
    for (; row < end; ++row) table_rows<kInputs, 1>(map, row, block, row - begin, inputs, first);
    return;
  }
#endif
  for (; row + kRows <= end; row += kRows)
    quantized_rows<kBits, kInputs, kRows>(map, row, block, row - begin, inputs, first);
  for (; row < end; ++row)
    quantized_rows<kBits, kInputs, 1>(map, row, block, row - begin, inputs, first);
}

template <int kInputs>
HWY_NOINLINE void run_rows(const GemvMap& map, int64_t begin, int64_t end, const BlockScales& block,
                           const Inputs& inputs, int64_t first) {
  if (map.weight.bits == 4)
    return run_quantized_rows<4, kInputs>(map, begin, end, block, inputs, first);
  if (map.weight.bits == 8)
    return run_quantized_rows<8, kInputs>(map, begin, end, block, inputs, first);
  for (int64_t row = begin; row < end; ++row) dense_row<kInputs>(map, row, inputs, first);
}

/// Asks memory for what comes kAhead bytes after rows [begin, end): rows are short, and the
/// processor's own prefetching starts anew at every page.
HWY_INLINE void ask_ahead(const WeightView& weight, int64_t begin, int64_t end) {
  const int64_t row_bytes = weight.words_per_row() * 4;
  const uint8_t* data = static_cast<const uint8_t*>(weight.data);
  const int64_t last = weight.rows * row_bytes;
  const int64_t stop = std::min(end * row_bytes + kAhead, last);
  for (int64_t at = begin * row_bytes + kAhead; at < stop; at += 64) hwy::Prefetch(data + at);
}

/// Rows [begin, end) of one map.
void run_map(const GemvMap& map, int64_t begin, int64_t end, const Inputs& inputs) {
  const WeightView& weight = map.weight;
  const int64_t groups = weight.quantized() ? weight.groups() : 0;
  const int64_t padded = groups + kPadding, block_size = kRowsPerBlock * groups + kPadding;
  float* scales =
      scratch<float>(Scratch::kScales, static_cast<size_t>(2 * block_size + inputs.count * padded));
  float* biases = scales + block_size;
  float* group_sums = biases + block_size;
  if (weight.quantized()) {
    const int64_t steps = weight.group_size / kStep;
    for (int64_t i = 0; i < inputs.count; ++i)
      for (int64_t g = 0; g < padded; ++g) {
        float sum = 0.0f;
        if (g < groups)
          for (int64_t s = 0; s < steps; ++s)
            sum += inputs.sums[i * groups * steps + g * steps + s];
        group_sums[i * padded + g] = sum;
      }
  }
  for (int64_t row = begin; row < end; row += kRowsPerBlock) {
    const int64_t stop = std::min(row + kRowsPerBlock, end), count = (stop - row) * groups;
    if (weight.quantized()) {
      ask_ahead(weight, row, stop);
      convert_floats(weight.scales, weight.type, row * groups, count, scales);
      convert_floats(weight.biases, weight.type, row * groups, count, biases);
      for (int64_t j = 0; j < kPadding; ++j) biases[count + j] = 0.0f;
    }
    const BlockScales block{scales, biases, group_sums};
    for (int64_t first = 0; first < inputs.count; first += 4) {
      switch (std::min<int64_t>(4, inputs.count - first)) {
        case 1:
          run_rows<1>(map, row, stop, block, inputs, first);
          break;
        case 2:
          run_rows<2>(map, row, stop, block, inputs, first);
          break;
        case 3:
          run_rows<3>(map, row, stop, block, inputs, first);
          break;
        default:
          run_rows<4>(map, row, stop, block, inputs, first);
          break;
      }
    }
  }
}

/// Shares out the rows of all maps: run(map, begin, end).
template <class Run>
void for_rows(const GemvMap* maps, int64_t map_count, const Run& run) {
  int64_t rows = 0;
  for (int64_t i = 0; i < map_count; ++i) rows += maps[i].weight.rows;
  // Small pieces cost more to hand out than to compute.
  const int64_t grain = std::max<int64_t>(
      kRowsPerBlock, 16384 / maps[0].weight.columns / kRowsPerBlock * kRowsPerBlock);
  parallel_for(rows, grain, [&](int64_t begin, int64_t end, int) {
    int64_t first = 0;
    for (int64_t i = 0; i < map_count; ++i) {
      const int64_t from = std::max<int64_t>(begin - first, 0),
                    to = std::min(end - first, maps[i].weight.rows);
      if (from < to) run(maps[i], from, to);
      first += maps[i].weight.rows;
    }
  });
}

/// Whether fixed point serves: one input, and all maps meet it in the same arrangement.
bool can_run_fixed([[maybe_unused]] int64_t count, [[maybe_unused]] const GemvMap* maps,
                   [[maybe_unused]] int64_t map_count) {
#if HWY_TARGET == HWY_AVX3
  if (count != 1 || !has_fixed_kernels()) return false;
  const WeightView& first = maps[0].weight;
  return std::all_of(maps, maps + map_count, [&](const GemvMap& map) {
    return map.weight.quantized() && map.weight.bits == first.bits &&
           map.weight.group_size == first.group_size && !map.accumulate;
  });
#else
  return false;
#endif
}

void gemv_maps(const float* x, int64_t count, const GemvMap* maps, int64_t map_count,
               bool allow_fixed) {
  if (allow_fixed && can_run_fixed(count, maps, map_count)) {
    const FixedInput input = fixed_input(maps[0].weight, x);
    return for_rows(maps, map_count, [&](const GemvMap& map, int64_t begin, int64_t end) {
      fixed_rows(map.weight, input, begin, end, map.y);
      for (int64_t row = begin; map.bias && row < end; ++row) map.y[row] += map.bias[row];
    });
  }
  const Inputs inputs = arrange(x, count, maps[0].weight.columns);
  for_rows(maps, map_count, [&](const GemvMap& map, int64_t begin, int64_t end) {
    run_map(map, begin, end, inputs);
  });
}

}  // namespace toolkit::tensor::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(gemv_maps);

void gemv(const float* x, int64_t count, std::span<const GemvMap> maps) {
  if (count <= 0 || maps.empty()) return;
  HWY_DYNAMIC_DISPATCH(gemv_maps)(x, count, maps.data(), static_cast<int64_t>(maps.size()), true);
}

void gemv_each(const float* x, int64_t count, std::span<const GemvMap> maps) {
  if (count <= 0 || maps.empty()) return;
  HWY_DYNAMIC_DISPATCH(gemv_maps)(x, count, maps.data(), static_cast<int64_t>(maps.size()), false);
}

}  // namespace toolkit::tensor::cpu
#endif

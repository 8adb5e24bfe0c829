#include "core/tensor/cpu/int8_gemm.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/tensor/cpu/int8_tile.h"
#include "core/tensor/cpu/scratch.h"
#include "core/tensor/cpu/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/int8_gemm.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "core/tensor/cpu/small_gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Largest finite magnitude so far, as bits: those of Inf and NaN are larger than any number's.
constexpr uint32_t kInfinityBits = 0x7f800000;

struct GroupScale {
  explicit GroupScale(uint32_t largest_bits) : bad(largest_bits >= kInfinityBits) {
    float largest;
    std::memcpy(&largest, &largest_bits, sizeof(largest));
    // Zeros, or numbers too small to divide by, are zero.
    inverse = largest > 1e-30f && !bad ? 127.0f / largest : 0.0f;
    scale = bad ? std::numeric_limits<float>::quiet_NaN() : largest / 127.0f;
  }
  bool bad;
  float inverse, scale;
};

/// A whole group, which stays in registers between its two uses.
HWY_INLINE void quantize_group(const float* HWY_RESTRICT x, int8_t* HWY_RESTRICT out, float& scale,
                               int32_t& offset) {
  const hn::CappedTag<float, 16> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::Rebind<int8_t, decltype(d)> di8;
  constexpr size_t kLanes = hn::MaxLanes(d), kVectors = kInt8Group / kLanes;
  hn::Vec<decltype(d)> value[kVectors];
  auto most = hn::Zero(di);
#pragma GCC unroll 16
  for (size_t v = 0; v < kVectors; ++v) {
    value[v] = hn::LoadU(d, x + v * kLanes);
    most = hn::Max(most, hn::BitCast(di, hn::Abs(value[v])));
  }
  const GroupScale group(static_cast<uint32_t>(hn::GetLane(hn::MaxOfLanes(di, most))));
  scale = group.scale;
  const auto by = hn::Set(d, group.inverse);
  auto sums = hn::Zero(di);
#pragma GCC unroll 16
  for (size_t v = 0; v < kVectors; ++v) {
    const auto q = hn::NearestInt(hn::Mul(value[v], by));
    sums = hn::Add(sums, q);
    hn::StoreU(hn::DemoteTo(di8, q), di8, out + v * kLanes);
  }
  offset = -128 * hn::GetLane(hn::SumOfLanes(di, sums));
}

/// The last group of a row, of `count` columns.
void quantize_part(const float* x, int64_t count, int8_t* out, float& scale, int32_t& offset) {
  HWY_ALIGN float values[kInt8Group] = {};
  HWY_ALIGN int8_t rounded[kInt8Group];
  std::copy_n(x, count, values);
  quantize_group(values, rounded, scale, offset);
  std::copy_n(rounded, count, out);
}

HWY_NOINLINE void quantize_row(const QuantizeJob& job, int64_t row, const Int8Rows& to) {
  const float* x = job.x + row * job.x_stride;
  int8_t* out = to.q + row * to.stride;
  float* scales = to.scales + row * to.groups;
  int32_t* offsets = to.offsets + row * to.groups;
  const int64_t whole = job.columns / kInt8Group, at = whole * kInt8Group;
  for (int64_t g = 0; g < whole; ++g)
    quantize_group(x + g * kInt8Group, out + g * kInt8Group, scales[g], offsets[g]);
  if (whole < to.groups)
    quantize_part(x + at, job.columns - at, out + at, scales[whole], offsets[whole]);
  std::fill(out + job.columns, out + to.stride, int8_t{0});
}

/// Rows [begin, end) of the low-rank product.
void multiply_low(const QuantizeJob& job, int64_t begin, int64_t end) {
  const LowProduct& low = job.low;
  float* sums = scratch<float>(Scratch::kLowRows, static_cast<size_t>((end - begin) * low.width));
  small_gemm<false>({.depth = job.columns,
                     .a = job.x + begin * job.x_stride,
                     .a_row = job.x_stride,
                     .a_column = 1,
                     .b = low.panel,
                     .b_row = low.width,
                     .c = sums,
                     .c_row = low.width},
                    end - begin, low.width);
  for (int64_t row = begin; row < end; ++row, sums += low.width)
    for (int64_t r = 0; r < low.rank; ++r) low.out[row * low.stride + r] = sums[r];
}

/// The low-rank product first: it leaves the rows in cache.
void quantize(const QuantizeJob& job, const Int8Rows& out) {
  constexpr int64_t kRowsAtOnce = 12;
  const auto rows = [&](int64_t begin, int64_t end, int) {
    for (int64_t from = begin; from < end; from += kRowsAtOnce) {
      const int64_t to = std::min(from + kRowsAtOnce, end);
      if (job.low.rank > 0) multiply_low(job, from, to);
      for (int64_t row = from; row < to; ++row) quantize_row(job, row, out);
    }
  };
  if (job.on_all_threads) {
    parallel_for(job.m, kRowsAtOnce, rows);
  } else {
    rows(0, job.m, 0);
  }
}

}  // namespace toolkit::tensor::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(quantize);

void quantize_rows(const QuantizeJob& job, const Int8Rows& out) {
  HWY_DYNAMIC_DISPATCH(quantize)(job, out);
}

const float* low_panel(std::span<const LowFactor> factors, int64_t columns, int64_t width) {
  float* panel = scratch<float>(Scratch::kLowPanel, static_cast<size_t>(columns * width));
  const int64_t used = factors.back().at + factors.back().rank;
  parallel_for(columns, 256, [&](int64_t begin, int64_t end, int) {
    for (const LowFactor& f : factors)
      for (int64_t k = begin; k < end; ++k)
        for (int64_t r = 0; r < f.rank; ++r)
          panel[k * width + f.at + r] = f.factor * f.f[k * f.f_row + r * f.f_column];
    for (int64_t k = begin; k < end; ++k)
      for (int64_t r = used; r < width; ++r) panel[k * width + r] = 0.0f;
  });
  return panel;
}

Int8Rows scratch_rows(Scratch which, int64_t m, int64_t columns) {
  // A tile product reads whole tiles, and whole groups of their last row.
  const int64_t readable = m + kInt8MostTileRows;
  const int64_t stride = (columns + 31) / 32 * 32, bytes = (readable * stride + 63) / 64 * 64;
  const int64_t groups = (columns + kInt8Group - 1) / kInt8Group;
  auto* q = scratch<int8_t>(which, static_cast<size_t>(bytes + 8 * readable * groups));
  auto* scales = reinterpret_cast<float*>(q + bytes);
  return {q, stride, groups, scales, reinterpret_cast<int32_t*>(scales + readable * groups)};
}

namespace {

constexpr int64_t kWidth = kInt8TileColumns;
static_assert(kInt8Group == 4 * kInt8GroupQuads && kInt8Group % kInt8TileColumns == 0);

/// What the columns [n, n + 32) of C need, made once per panel.
struct Int8Panel {
  Int8Tile tile;
  alignas(64) float bias[kWidth];
};

void fill_low_panel(const Int8Product& p, int64_t n, int64_t columns, float* out) {
  const float* b = p.b + n * p.b_column;
  if (columns < kWidth) std::fill_n(out, p.rank * kWidth, 0.0f);
  if (p.b_column == 1) {
    for (int64_t k = 0; k < p.rank; ++k)
      for (int64_t j = 0; j < columns; ++j) out[k * kWidth + j] = p.factor * b[k * p.b_row + j];
  } else {
    for (int64_t j = 0; j < columns; ++j)
      for (int64_t k = 0; k < p.rank; ++k)
        out[k * kWidth + j] = p.factor * b[k * p.b_row + j * p.b_column];
  }
}

void fill_panel(const Int8Product& p, const GemmOutput& output, int64_t n, Int8Panel& panel) {
  const Int8Weight& weight = *p.weight;
  const int64_t columns = std::min(kWidth, output.n - n), row = p.row_begin + n;
  Int8Tile& tile = panel.tile;
  const int64_t low_floats = p.rank * kWidth;
  float* low_panel = scratch<float>(Scratch::kRows, static_cast<size_t>(low_floats));
  tile.quads = p.a.stride / 4;
  tile.b0 = weight.block(row) + 16 * p.column_begin;
  tile.b1 = weight.block(row + 16) + 16 * p.column_begin;
  tile.column_scales =
      weight.group_scales.data() + p.column_begin / kInt8Group * weight.padded_rows + row;
  tile.column_scales_step = weight.padded_rows;
  std::fill_n(panel.bias, kWidth, 0.0f);
  if (output.bias) std::copy_n(output.bias + n, columns, panel.bias);
  fill_low_panel(p, n, columns, low_panel);
  tile.a_stride = p.a.stride;
  tile.groups = p.a.groups;
  tile.bias = panel.bias;
  tile.low_stride = p.low_stride;
  tile.rank = p.rank;
  tile.low_panel = low_panel;
  tile.accumulate = output.accumulate;
}

void run_panel(const Int8Product& p, const GemmOutput& output, const Int8Kernels& kernels,
               int64_t n, int64_t m0, int64_t m1) {
  Int8Panel panel;
  fill_panel(p, output, n, panel);
  const int64_t columns = std::min(kWidth, output.n - n), rows = m1 - m0;
  const int64_t tiles = (rows + kernels.tile_rows - 1) / kernels.tile_rows;
  const int64_t least = rows / tiles, longer = rows % tiles;  // divisions take as long as a group
  alignas(64) float edge[kInt8MostTileRows * kWidth];
  if (kernels.begin) kernels.begin();
  for (int64_t i = 0, m = m0, count = 0; i < tiles; ++i, m += count) {
    count = least + (i < longer ? 1 : 0);
    Int8Tile tile = panel.tile;
    tile.a = p.a.q + m * p.a.stride;
    tile.group_scales = p.a.scales + m * p.a.groups;
    tile.group_offsets = p.a.offsets + m * p.a.groups;
    tile.low = p.low + m * p.low_stride;
    float* c = output.c + m * output.stride + n;
    const bool whole = columns == kWidth;
    tile.c = whole ? c : edge;
    tile.c_stride = whole ? output.stride : kWidth;
    if (!whole && output.accumulate)
      for (int64_t r = 0; r < count; ++r)
        std::copy_n(c + r * output.stride, columns, edge + r * kWidth);
    kernels.multiply(tile, count);
    if (!whole)
      for (int64_t r = 0; r < count; ++r)
        std::copy_n(edge + r * kWidth, columns, c + r * output.stride);
  }
  if (kernels.end) kernels.end();
}

}  // namespace

void int8_gemm(const Int8Product& product, const GemmOutput& output) {
  if (output.m <= 0 || output.n <= 0) return;
  const int64_t panels = (output.n + kWidth - 1) / kWidth, depth = product.a.stride;
  const int64_t fitting = std::max<int64_t>(512 * 1024 / depth, kInt8MostTileRows);
  const int64_t wanted = (3 * thread_count() + panels - 1) / panels;
  int64_t blocks = (output.m + fitting - 1) / fitting;
  blocks = std::max<int64_t>({blocks, std::min(wanted, output.m / (4 * kInt8TileRows)), 1});
  const Int8Kernels kernels = int8_kernels();
  parallel_for(blocks * panels, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t block = task / panels;
      run_panel(product, output, kernels, task % panels * kWidth, output.m * block / blocks,
                output.m * (block + 1) / blocks);
    }
  });
}

void int8_gemm_on_this_thread(const Int8Product& product, const GemmOutput& output) {
  const Int8Kernels kernels = int8_kernels();
  for (int64_t n = 0; n < output.n; n += kWidth)
    run_panel(product, output, kernels, n, 0, output.m);
}

}  // namespace toolkit::tensor::cpu
#endif

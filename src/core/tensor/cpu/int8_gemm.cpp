#include "core/tensor/cpu/int8_gemm.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/tensor/cpu/int8_tile.h"
#include "core/tensor/cpu/scratch.h"
#include "core/tensor/cpu/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/int8_gemm.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// `count` columns from `begin` on, which share a scale.
HWY_INLINE void quantize_group(const float* HWY_RESTRICT x, const float* HWY_RESTRICT factors,
                               int64_t count, int8_t* HWY_RESTRICT out, float& scale,
                               int32_t& offset) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::Rebind<int8_t, decltype(d)> di8;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), whole = count / lanes * lanes;
  const auto value_at = [&](int64_t k) HWY_ATTR {
    const auto value = hn::LoadU(d, x + k);
    return factors ? hn::Mul(value, hn::LoadU(d, factors + k)) : value;
  };
  auto most = hn::Zero(d), poison = hn::Zero(d);  // Inf and NaN times zero are NaN
  for (int64_t k = 0; k < whole; k += lanes) {
    const auto value = value_at(k);
    most = hn::Max(most, hn::Abs(value));
    poison = hn::MulAdd(value, hn::Zero(d), poison);
  }
  float largest = hn::GetLane(hn::MaxOfLanes(d, most));
  bool bad = !hn::AllTrue(d, hn::Eq(poison, hn::Zero(d)));
  for (int64_t k = whole; k < count; ++k) {
    const float value = factors ? x[k] * factors[k] : x[k];
    largest = std::max(largest, std::abs(value));
    bad |= !std::isfinite(value);
  }
  // Zeros, or numbers too small to divide by, are zero.
  const float inverse = largest > 1e-30f ? 127.0f / largest : 0.0f;
  scale = bad ? std::numeric_limits<float>::quiet_NaN() : largest / 127.0f;
  const auto by = hn::Set(d, inverse);
  auto sums = hn::Zero(di);
  for (int64_t k = 0; k < whole; k += lanes) {
    const auto q = hn::NearestInt(hn::Mul(value_at(k), by));
    sums = hn::Add(sums, q);
    hn::StoreU(hn::DemoteTo(di8, q), di8, out + k);
  }
  int32_t sum = hn::GetLane(hn::SumOfLanes(di, sums));
  for (int64_t k = whole; k < count; ++k) {
    const float value = (factors ? x[k] * factors[k] : x[k]) * inverse;
    out[k] = bad ? int8_t{0} : static_cast<int8_t>(std::nearbyint(value));
    sum += out[k];
  }
  offset = -128 * sum;
}

void quantize_row(const QuantizeJob& job, int64_t row, const Int8Rows& to) {
  const float* x = job.x + row * job.x_stride;
  int8_t* out = to.q + row * to.stride;
  for (int64_t g = 0; g < to.groups; ++g) {
    const int64_t begin = g * kInt8Group, count = std::min(kInt8Group, job.columns - begin);
    quantize_group(x + begin, job.column_factors ? job.column_factors + begin : nullptr, count,
                   out + begin, to.scales[row * to.groups + g], to.offsets[row * to.groups + g]);
  }
  std::fill(out + job.columns, out + to.stride, int8_t{0});
}

void quantize(const QuantizeJob& job, const Int8Rows& out) {
  const auto rows = [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) quantize_row(job, row, out);
  };
  if (job.on_all_threads) {
    parallel_for(job.m, 8, rows);
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

Int8Rows scratch_rows(Scratch which, int64_t m, int64_t columns) {
  const int64_t stride = (columns + 31) / 32 * 32, bytes = (m * stride + 63) / 64 * 64;
  const int64_t groups = (columns + kInt8Group - 1) / kInt8Group;
  auto* q = scratch<int8_t>(which, static_cast<size_t>(bytes + 8 * m * groups));
  auto* scales = reinterpret_cast<float*>(q + bytes);
  return {q, stride, groups, scales, reinterpret_cast<int32_t*>(scales + m * groups)};
}

namespace {

constexpr int64_t kWidth = kInt8TileColumns;
static_assert(kInt8Group == 4 * kInt8GroupQuads && kInt8Group % kInt8TileColumns == 0);

/// What the columns [n, n + 32) of C need, made once per panel.
struct Int8Panel {
  Int8Tile tile;
  alignas(64) float ones[kWidth];
  alignas(64) float bias[kWidth];
};

void fill_panel(const Int8Product& p, const GemmOutput& output, int64_t n,
                const Int8Kernels& kernels, Int8Panel& panel) {
  const Int8Weight& weight = *p.weight;
  const int64_t columns = std::min(kWidth, output.n - n), block_bytes = 16 * weight.padded_columns;
  const uint8_t* first = weight.packed.data() + p.row_begin / 16 * block_bytes;
  Int8Tile& tile = panel.tile;
  const int64_t low_floats = p.rank * kWidth;
  float* low_panel = scratch<float>(Scratch::kRows, static_cast<size_t>(low_floats));
  if (p.backward) {
    const int64_t blocks = (p.row_count + 15) / 16;
    auto* packed = scratch<uint8_t>(Scratch::kPanel, static_cast<size_t>(blocks * 16 * kWidth));
    kernels.repack(first + n * 16, block_bytes, blocks,
                   weight.ratios.data() + n / kInt8Group * weight.padded_rows + p.row_begin,
                   packed);
    std::fill_n(panel.ones, kWidth, 1.0f);
    tile.column_scales = panel.ones;
    tile.column_scales_step = 0;
    tile.quads = blocks * 4;
    tile.b0 = packed;
    tile.b1 = packed + 64;
    tile.b_step = 128;
  } else {
    tile.quads = weight.padded_columns / 4;
    tile.b0 = first + n * weight.padded_columns;
    tile.b1 = tile.b0 + block_bytes;
    tile.b_step = 64;
    tile.column_scales = weight.group_scales.data() + p.row_begin + n;
    tile.column_scales_step = weight.padded_rows;
  }
  for (int64_t j = 0; j < kWidth; ++j) {
    panel.bias[j] = output.bias && j < columns ? output.bias[n + j] : 0.0f;
    for (int64_t k = 0; k < p.rank; ++k)
      low_panel[k * kWidth + j] =
          j < columns ? p.factor * p.b[k * p.b_row + (n + j) * p.b_column] : 0.0f;
  }
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
  fill_panel(p, output, n, kernels, panel);
  const int64_t columns = std::min(kWidth, output.n - n), rows = m1 - m0;
  const int64_t tiles = (rows + kInt8TileRows - 1) / kInt8TileRows;
  alignas(64) float edge[kInt8TileRows * kWidth];
  for (int64_t i = 0; i < tiles; ++i) {
    const int64_t m = m0 + rows * i / tiles, count = m0 + rows * (i + 1) / tiles - m;
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
}

}  // namespace

void int8_gemm(const Int8Product& product, const GemmOutput& output) {
  if (output.m <= 0 || output.n <= 0) return;
  const int64_t panels = (output.n + kWidth - 1) / kWidth, depth = product.a.stride;
  const int64_t fitting = std::max<int64_t>(512 * 1024 / depth, kInt8TileRows);
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

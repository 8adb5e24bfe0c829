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

void quantize_row(const QuantizeJob& job, int64_t row, const Int8Rows& to) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::Rebind<uint8_t, decltype(d)> du8;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), whole = job.columns / lanes * lanes;
  const float* x = job.x + row * job.x_stride;
  const float* factors = job.column_factors;
  uint8_t* out = to.q + row * to.stride;
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
  float largest = hn::GetLane(hn::MaxOfLanes(d, most)),
        bad = hn::GetLane(hn::SumOfLanes(d, poison));
  for (int64_t k = whole; k < job.columns; ++k) {
    const float value = factors ? x[k] * factors[k] : x[k];
    largest = std::max(largest, std::abs(value));
    bad += value * 0.0f;
  }
  const float steps = to.zero_point == 0 ? 255.0f : 127.0f;
  // A row of zeros, or of numbers too small to divide by, is zero.
  const float inverse = largest > 1e-30f ? steps / largest : 0.0f;
  to.scales[row] = bad == 0.0f ? largest / steps : std::numeric_limits<float>::quiet_NaN();
  const auto by = hn::Set(d, inverse);
  const auto zero = hn::Set(di, to.zero_point);
  for (int64_t k = 0; k < whole; k += lanes)
    hn::StoreU(hn::DemoteTo(du8, hn::Add(hn::NearestInt(hn::Mul(value_at(k), by)), zero)), du8,
               out + k);
  for (int64_t k = whole; k < job.columns; ++k) {
    const float value = (factors ? x[k] * factors[k] : x[k]) * inverse;
    out[k] = static_cast<uint8_t>(
        std::clamp(static_cast<int>(std::nearbyint(value)) + to.zero_point, 0, 255));
  }
  for (int64_t k = job.columns; k < to.stride; ++k) out[k] = static_cast<uint8_t>(to.zero_point);
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

Int8Rows scratch_rows(Scratch which, int64_t m, int64_t columns, int zero_point) {
  const int64_t stride = (columns + 31) / 32 * 32, bytes = (m * stride + 63) / 64 * 64;
  auto* q =
      scratch<uint8_t>(which, static_cast<size_t>(bytes) + static_cast<size_t>(m) * sizeof(float));
  return {q, stride, reinterpret_cast<float*>(q + bytes), zero_point};
}

namespace {

constexpr int64_t kWidth = kInt8TileColumns;

/// What the columns [n, n + 32) of C need, made once per panel.
struct Int8Panel {
  Int8Tile tile;
  alignas(64) int32_t offsets[kWidth];
  alignas(64) float scales[kWidth];
  alignas(64) float bias[kWidth];
};

void fill_panel(const Int8Product& p, const GemmOutput& output, int64_t n,
                const Int8Kernels& kernels, Int8Panel& panel) {
  const Int8Weight& weight = *p.weight;
  const int64_t columns = std::min(kWidth, output.n - n), block_bytes = 16 * weight.padded_columns;
  const int8_t* first = weight.packed.data() + p.row_begin / 16 * block_bytes;
  Int8Tile& tile = panel.tile;
  const int64_t low_floats = p.rank * kWidth;
  float* low_panel = scratch<float>(Scratch::kRows, static_cast<size_t>(low_floats));
  if (p.backward) {
    const int64_t blocks = (p.row_count + 15) / 16;
    int8_t* packed = scratch<int8_t>(Scratch::kPanel, static_cast<size_t>(blocks * 16 * kWidth));
    kernels.repack(first + n * 16, block_bytes, blocks, packed, panel.offsets);
    tile.quads = blocks * 4;
    tile.b0 = packed;
    tile.b1 = packed + 64;
    tile.b_step = 128;
  } else {
    tile.quads = weight.padded_columns / 4;
    tile.b0 = first + n * weight.padded_columns;
    tile.b1 = tile.b0 + block_bytes;
    tile.b_step = 64;
  }
  for (int64_t j = 0; j < kWidth; ++j) {
    const int64_t row = p.row_begin + n + j;
    if (!p.backward) panel.offsets[j] = weight.row_sums[static_cast<size_t>(row)];
    panel.offsets[j] *= p.a.zero_point;
    panel.scales[j] = p.backward ? 1.0f : weight.scales[static_cast<size_t>(row)];
    panel.bias[j] = output.bias && j < columns ? output.bias[n + j] : 0.0f;
    for (int64_t k = 0; k < p.rank; ++k)
      low_panel[k * kWidth + j] =
          j < columns ? p.factor * p.b[k * p.b_row + (n + j) * p.b_column] : 0.0f;
  }
  tile.a_stride = p.a.stride;
  tile.offsets = panel.offsets;
  tile.column_scales = panel.scales;
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
    tile.row_scales = p.a.scales + m;
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

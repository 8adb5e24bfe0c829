#include "core/tensor/cpu/gemm.h"

#include <algorithm>

#include "core/tensor/cpu/packed_rows.h"
#include "core/tensor/cpu/panel.h"
#include "core/tensor/cpu/scratch.h"
#include "core/tensor/cpu/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/gemm.cpp"
#include <hwy/foreach_target.h>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "core/tensor/cpu/gemm_block-inl.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu::HWY_NAMESPACE {

// Packed rows are one stream, which the third-level cache feeds fast enough: larger blocks mean
// fewer expansions of a panel.
constexpr int64_t kBlockBytes = 2 << 20;

void gemm_all_threads(std::span<const GemmTerm> given, const GemmOutput& output) {
  const PackedTerms packed(given, output.m);
  const int64_t width = panel_width(output.n), panels = (output.n + width - 1) / width;
  const int64_t threads = thread_count(), tiles = TileRows{output.m}.tiles();
  for_each_pass(packed.terms(), [&](const GemmPass& pass) {
    const int64_t fitting = kBlockBytes / (4 * std::max<int64_t>(pass.depth, 1));
    int64_t blocks = (output.m + fitting - 1) / fitting;
    // Few panels: cut the rows finer so that every thread has work.
    const int64_t wanted = (3 * threads + panels - 1) / panels;
    blocks = std::max(blocks, std::min(wanted, tiles / 4));
    blocks = std::max<int64_t>(blocks, 1);
    parallel_for(blocks * panels, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t block = task / panels, panel = task % panels;
        run_panel_of_width(width, pass, output, panel * width, tiles * block / blocks,
                           tiles * (block + 1) / blocks);
      }
    });
  });
}

void gemm_one_thread(std::span<const GemmTerm> terms, const GemmOutput& output) {
  gemm_block(terms, output);
}

int64_t packed_size(int64_t m, int64_t k) {
  return TileRows{m}.tiles() * k * kTileStride;
}

void pack_rows(const float* a, int64_t stride, int64_t m, int64_t k, float* out) {
  parallel_for(TileRows{m}.tiles(), 1, [&](int64_t from, int64_t to, int) {
    pack_row_tiles(a, stride, m, k, from, to, out);
  });
}

void pack_columns(const float* a, int64_t stride, int64_t m, int64_t k, float* out) {
  parallel_for(TileRows{m}.tiles(), 1, [&](int64_t from, int64_t to, int) {
    pack_column_tiles(a, stride, m, k, from, to, out);
  });
}

/// Adds s[m][0..kRows) x[m][two vectors] over rows [m0, m1), in registers, to what the rows before
/// gave.
template <int kRows>
HWY_NOINLINE void outer_tile(const OuterProducts& p, int64_t m0, int64_t m1, int64_t r0,
                             int64_t column, int64_t columns, float* out) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  constexpr int64_t kLanes = hn::MaxLanes(hn::ScalableTag<float>());
  V sum[kRows][2];
  const float* s = p.s + m0 * p.s_stride + r0;
  const float* x = p.x + m0 * p.x_stride + column;
  float* to = out + r0 * p.n + column;
  HWY_ALIGN float edge[2 * kLanes] = {};
  const bool whole = columns == 2 * kLanes;
  for (int r = 0; r < kRows; ++r) {
    sum[r][0] = sum[r][1] = hn::Zero(d);
    if (m0 == 0) continue;
    const float* from = to + r * p.n;
    if (!whole) from = std::copy_n(from, columns, edge) - columns;
    sum[r][0] = hn::LoadU(d, from);
    sum[r][1] = hn::LoadU(d, from + kLanes);
  }
  for (int64_t m = m0; m < m1; ++m, s += p.s_stride, x += p.x_stride) {
    const float* row = x;
    if (!whole) row = std::copy_n(x, columns, edge) - columns;
    // Two panels ahead: the gradient's rows come from far away.
    hwy::Prefetch(x + 4 * kLanes);
    hwy::Prefetch(x + 5 * kLanes);
    const V x0 = hn::LoadU(d, row), x1 = hn::LoadU(d, row + kLanes);
    for (int r = 0; r < kRows; ++r) {
      const V factor = hn::Set(d, s[r]);
      sum[r][0] = hn::MulAdd(factor, x0, sum[r][0]);
      sum[r][1] = hn::MulAdd(factor, x1, sum[r][1]);
    }
  }
  const V factor = hn::Set(d, m1 == p.m ? p.factor : 1.0f);
  for (int r = 0; r < kRows; ++r) {
    float* row = whole ? to + r * p.n : edge;
    hn::StoreU(hn::Mul(sum[r][0], factor), d, row);
    hn::StoreU(hn::Mul(sum[r][1], factor), d, row + kLanes);
    if (!whole) std::copy_n(edge, columns, to + r * p.n);
  }
}

/// Few rows of x at a time, from left to right: as many streams as the hardware follows. The sums
/// of a task's columns stay in the first-level cache.
void outer_products(const OuterProducts& p, float* out) {
  constexpr int kMostRows = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON ? 12 : 6;
  static constexpr auto kFunctions = []<size_t... kIndex>(std::index_sequence<kIndex...>) {
    return std::array{outer_tile<static_cast<int>(kIndex) + 1>...};
  }(std::make_index_sequence<kMostRows>());
  constexpr int64_t kWidth = 2 * hn::MaxLanes(hn::ScalableTag<float>()), kRowsAtOnce = 16;
  const int64_t tiles = (p.r + kMostRows - 1) / kMostRows, panels = (p.n + kWidth - 1) / kWidth;
  const int64_t per_task = std::clamp<int64_t>(panels / (2 * thread_count()), 1, 16);
  parallel_for(panels, per_task, [&](int64_t begin, int64_t end, int) {
    for (int64_t m = 0; m == 0 || m < p.m; m += kRowsAtOnce)
      for (int64_t panel = begin; panel < end; ++panel) {
        const int64_t column = panel * kWidth, columns = std::min(kWidth, p.n - column);
        for (int64_t t = 0; t < tiles; ++t) {
          const int64_t r0 = p.r * t / tiles, r1 = p.r * (t + 1) / tiles;
          kFunctions[static_cast<size_t>(r1 - r0 - 1)](p, m, std::min(p.m, m + kRowsAtOnce), r0,
                                                       column, columns, out);
        }
      }
  });
}

void expand(const RightFactor& b, const PanelPart& part, float* out) {
  fill_panel(b, {part.k0, part.k1, part.n0, part.columns, kPanelColumns}, out);
}

void convert(const void* source, FloatType type, int64_t begin, int64_t count, float* out) {
  convert_floats(source, type, begin, count, out);
}

}  // namespace toolkit::tensor::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(gemm_all_threads);
HWY_EXPORT(gemm_one_thread);
HWY_EXPORT(outer_products);
HWY_EXPORT(pack_rows);
HWY_EXPORT(pack_columns);
HWY_EXPORT(packed_size);
HWY_EXPORT(convert);
HWY_EXPORT(expand);

void gemm(std::span<const GemmTerm> terms, const GemmOutput& output) {
  if (output.m <= 0 || output.n <= 0) return;
  HWY_DYNAMIC_DISPATCH(gemm_all_threads)(terms, output);
}

void gemm_on_this_thread(std::span<const GemmTerm> terms, const GemmOutput& output) {
  if (output.m <= 0 || output.n <= 0) return;
  HWY_DYNAMIC_DISPATCH(gemm_one_thread)(terms, output);
}

PackedRows::PackedRows(const float* a, int64_t stride, int64_t m, int64_t k)
    : buffer_(HWY_DYNAMIC_DISPATCH(packed_size)(m, k)) {
  HWY_DYNAMIC_DISPATCH(pack_rows)(a, stride, m, k, buffer_.data());
}

PackedRows PackedRows::of_columns(const float* a, int64_t stride, int64_t m, int64_t k) {
  FloatBuffer buffer(HWY_DYNAMIC_DISPATCH(packed_size)(m, k));
  HWY_DYNAMIC_DISPATCH(pack_columns)(a, stride, m, k, buffer.data());
  return PackedRows(std::move(buffer));
}

void expand_panel(const RightFactor& b, const PanelPart& part, float* out) {
  HWY_DYNAMIC_DISPATCH(expand)(b, part, out);
}

void sum_outer_products(const OuterProducts& product, float* out) {
  if (product.r <= 0 || product.n <= 0) return;
  HWY_DYNAMIC_DISPATCH(outer_products)(product, out);
}

void convert_scales(const WeightView& weight, float* scales, float* biases) {
  parallel_for(weight.rows * weight.groups(), 4096, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(convert)
    (weight.scales, weight.type, begin, end - begin, scales + begin);
    HWY_DYNAMIC_DISPATCH(convert)
    (weight.biases, weight.type, begin, end - begin, biases + begin);
  });
}

void convert_row(const WeightView& weight, int64_t row, float* out) {
  HWY_DYNAMIC_DISPATCH(convert)(weight.data, weight.type, row * weight.columns, weight.columns,
                                out);
}

WeightView WeightView::slice(int64_t begin, int64_t count) const {
  WeightView part = *this;
  const int64_t float_bytes = type == FloatType::kFloat32 ? 4 : 2;
  const int64_t row_bytes = quantized() ? words_per_row() * 4 : columns * float_bytes;
  part.data = static_cast<const char*>(data) + begin * row_bytes;
  if (quantized()) {
    part.scales = static_cast<const char*>(scales) + begin * groups() * float_bytes;
    part.biases = static_cast<const char*>(biases) + begin * groups() * float_bytes;
  }
  part.rows = count;
  return part;
}

}  // namespace toolkit::tensor::cpu
#endif

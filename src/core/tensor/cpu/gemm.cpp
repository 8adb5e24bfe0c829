#include "core/tensor/cpu/gemm.h"

#include <algorithm>

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

// A's rows of one block, cut to a pass's depth, stay in the second-level cache beside the panel.
constexpr int64_t kBlockBytes = 640 * 1024;

void gemm_all_threads(const GemmTerm* terms, int64_t count, const GemmOutput& output) {
  const int64_t width = panel_width(output.n), panels = (output.n + width - 1) / width;
  const int64_t threads = thread_count();
  for_each_pass(terms, count, [&](const GemmPass& pass) {
    const int64_t fitting = kBlockBytes / (4 * std::max<int64_t>(pass.depth, 1));
    int64_t blocks = (output.m + fitting - 1) / fitting;
    // Few panels: cut the rows finer so that every thread has work.
    const int64_t wanted = (3 * threads + panels - 1) / panels;
    blocks = std::max(blocks, std::min(wanted, output.m / (4 * kTileRows)));
    blocks = std::max<int64_t>(blocks, 1);
    parallel_for(blocks * panels, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t block = task / panels, panel = task % panels;
        run_panel_of_width(width, pass, output, panel * width, output.m * block / blocks,
                           output.m * (block + 1) / blocks);
      }
    });
  });
}

void gemm_one_thread(const GemmTerm* terms, int64_t count, const GemmOutput& output) {
  gemm_block(terms, count, output);
}

/// Sums s[m][0..kRows) x[m][two vectors] in registers.
template <int kRows>
HWY_NOINLINE void outer_tile(const OuterProducts& p, int64_t r0, int64_t column, int64_t columns,
                             float* out) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  constexpr int64_t kLanes = hn::MaxLanes(hn::ScalableTag<float>());
  V sum[kRows][2];
  for (int r = 0; r < kRows; ++r) sum[r][0] = sum[r][1] = hn::Zero(d);
  const float* s = p.s + r0;
  const float* x = p.x + column;
  HWY_ALIGN float edge[2 * kLanes] = {};
  const bool whole = columns == 2 * kLanes;
  for (int64_t m = 0; m < p.m; ++m, s += p.s_stride, x += p.x_stride) {
    const float* row = x;
    if (whole) {
      // Rows are too far apart for the hardware to guess the next one.
      hwy::Prefetch(x + 16 * p.x_stride);
      hwy::Prefetch(x + 16 * p.x_stride + kLanes);
    } else {
      for (int64_t j = 0; j < columns; ++j) edge[j] = x[j];
      row = edge;
    }
    const V x0 = hn::LoadU(d, row), x1 = hn::LoadU(d, row + kLanes);
    for (int r = 0; r < kRows; ++r) {
      const V factor = hn::Set(d, s[r]);
      sum[r][0] = hn::MulAdd(factor, x0, sum[r][0]);
      sum[r][1] = hn::MulAdd(factor, x1, sum[r][1]);
    }
  }
  const V factor = hn::Set(d, p.factor);
  for (int r = 0; r < kRows; ++r) {
    hn::Store(hn::Mul(sum[r][0], factor), d, edge);
    hn::Store(hn::Mul(sum[r][1], factor), d, edge + kLanes);
    float* to = out + (r0 + r) * p.n + column;
    for (int64_t j = 0; j < columns; ++j) to[j] = edge[j];
  }
}

void outer_products(const OuterProducts& p, float* out) {
  using Function = void (*)(const OuterProducts&, int64_t, int64_t, int64_t, float*);
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
  static constexpr Function kFunctions[] = {
      outer_tile<1>, outer_tile<2>, outer_tile<3>, outer_tile<4>,  outer_tile<5>,  outer_tile<6>,
      outer_tile<7>, outer_tile<8>, outer_tile<9>, outer_tile<10>, outer_tile<11>, outer_tile<12>};
#else
  static constexpr Function kFunctions[] = {outer_tile<1>, outer_tile<2>, outer_tile<3>,
                                            outer_tile<4>, outer_tile<5>, outer_tile<6>};
#endif
  constexpr int64_t kWidth = 2 * hn::MaxLanes(hn::ScalableTag<float>());
  const int64_t tiles = (p.r + kTileRows - 1) / kTileRows;
  parallel_for((p.n + kWidth - 1) / kWidth, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t panel = begin; panel < end; ++panel) {
      const int64_t column = panel * kWidth, columns = std::min(kWidth, p.n - column);
      for (int64_t t = 0; t < tiles; ++t) {
        const int64_t r0 = p.r * t / tiles, r1 = p.r * (t + 1) / tiles;
        kFunctions[r1 - r0 - 1](p, r0, column, columns, out);
      }
    }
  });
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
HWY_EXPORT(convert);

void gemm(std::span<const GemmTerm> terms, const GemmOutput& output) {
  if (output.m <= 0 || output.n <= 0) return;
  HWY_DYNAMIC_DISPATCH(gemm_all_threads)(terms.data(), static_cast<int64_t>(terms.size()), output);
}

void gemm_on_this_thread(std::span<const GemmTerm> terms, const GemmOutput& output) {
  if (output.m <= 0 || output.n <= 0) return;
  HWY_DYNAMIC_DISPATCH(gemm_one_thread)(terms.data(), static_cast<int64_t>(terms.size()), output);
}

void sum_outer_products(const OuterProducts& product, float* out) {
  if (product.r <= 0 || product.n <= 0) return;
  HWY_DYNAMIC_DISPATCH(outer_products)(product, out);
}

void convert_scales(const WeightView& weight, float* scales, float* biases) {
  const int64_t count = weight.rows * weight.groups();
  HWY_DYNAMIC_DISPATCH(convert)(weight.scales, weight.type, 0, count, scales);
  HWY_DYNAMIC_DISPATCH(convert)(weight.biases, weight.type, 0, count, biases);
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

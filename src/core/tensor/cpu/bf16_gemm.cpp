#include "core/tensor/cpu/bf16_gemm.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "core/tensor/cpu/bf16_tile_amx.h"
#include "core/tensor/cpu/kernel_target.h"
#include "core/tensor/cpu/panel.h"
#include "core/tensor/cpu/scratch.h"
#include "core/tensor/cpu/thread_pool.h"

namespace toolkit::tensor::cpu {

namespace {

constexpr int64_t kRows = kBf16TileRows, kWidth = kBf16TileColumns;
static_assert(kPanelColumns == kWidth);

int64_t padded(int64_t k) {
  return (k + kBf16TileDepth - 1) / kBf16TileDepth * kBf16TileDepth;
}

/// Columns [n, n + columns) of B, rounded; a piece at a time, so that the floats stay in the
/// first-level cache.
void fill_panel(const RightFactor& b, int64_t k, int64_t n, int64_t columns, uint16_t* panel) {
  constexpr int64_t kPiece = 128;  // groups are never split
  const int64_t depth = padded(k);
  uint16_t* right = panel + depth * 16;
  float* rows = scratch<float>(Scratch::kPanelRows, kPiece * kWidth);
  for (int64_t from = 0; from < k; from += kPiece) {
    const int64_t count = std::min(kPiece, k - from), filled = padded(count);
    expand_panel(b, {from, from + count, n, columns}, rows);
    std::fill(rows + count * kWidth, rows + filled * kWidth, 0.0f);
    round_panel(rows, filled, panel + from * 16, right + from * 16);
  }
}

/// The sums of C's columns [n, n + 32): straight into C where the tile is whole and nothing is
/// added.
struct TileOutput {
  const GemmOutput& output;
  int64_t n, columns;
  alignas(64) float sums[kRows * kWidth];
  alignas(64) float bias[kWidth] = {};

  TileOutput(const GemmOutput& to, int64_t first)
      : output(to), n(first), columns(std::min(kWidth, to.n - first)) {
    if (output.bias) std::copy_n(output.bias + n, columns, bias);
  }

  void multiply(const std::vector<Bf16TileTerm>& terms, int64_t m, int64_t rows) {
    const auto count = static_cast<int64_t>(terms.size());
    float* c = output.c + m * output.stride + n;
    const bool whole = columns == kWidth && rows == kRows;
    if (whole && !output.bias && !output.accumulate)
      return multiply_bf16_tile(terms.data(), count, rows, c, output.stride);
    multiply_bf16_tile(terms.data(), count, rows, sums, kWidth);
    if (columns == kWidth)
      return finish_bf16_tile(sums, bias, output.accumulate, rows, c, output.stride);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < columns; ++j) {
        float& to = c[r * output.stride + j];
        to = sums[r * kWidth + j] + bias[j] + (output.accumulate ? to : 0.0f);
      }
  }
};

/// Columns [n, n + 32) of rows [m0, m1) of C.
void run_panel(std::span<const Bf16Term> terms, const GemmOutput& output, int64_t n, int64_t m0,
               int64_t m1) {
  const int64_t columns = std::min(kWidth, output.n - n);
  int64_t depth = 0;
  for (const Bf16Term& term : terms) depth += padded(term.k);
  auto* panel = scratch<uint16_t>(Scratch::kPanel, static_cast<size_t>(depth * kWidth));
  std::vector<Bf16TileTerm> tiles;
  for (const Bf16Term& term : terms) {
    fill_panel(term.b, term.k, n, columns, panel);
    tiles.push_back({term.a.data + m0 * term.a.stride, term.a.stride, panel, padded(term.k)});
    panel += padded(term.k) * kWidth;
  }
  TileOutput out(output, n);
  const Bf16Tiles in_use;
  for (int64_t m = m0; m < m1; m += kRows) {
    out.multiply(tiles, m, std::min(kRows, m1 - m));
    for (Bf16TileTerm& tile : tiles) tile.a += kRows * tile.stride;
  }
}

int64_t readable_rows(int64_t m) {
  return (m + kRows - 1) / kRows * kRows;
}

/// A LowProduct of rounded rows, for as long as one kernel runs: its panel is rounded once by the
/// thread that makes it and read by all.
class Bf16LowProduct {
 public:
  Bf16LowProduct(const LowProduct& low, int64_t k)
      : low_(low),
        depth_(padded(k)),
        panel_(scratch<uint16_t>(Scratch::kLowRows, static_cast<size_t>(depth_ * kWidth))) {
    std::fill_n(panel_, depth_ * kWidth, uint16_t{0});
    const int64_t even = k / 2 * 2;
    round_panel(low.panel, even, panel_, panel_ + depth_ * 16);
    if (even == k) return;
    alignas(64) float last[2 * kWidth] = {};
    std::copy_n(low.panel + even * kWidth, kWidth, last);
    round_panel(last, 2, panel_ + even * 16, panel_ + (depth_ + even) * 16);
  }

  /// Rows [row, row + count) of the output from as many rows of A, count <= 32.
  void multiply(const Bf16Rows& a, int64_t row, int64_t count) const {
    alignas(64) float sums[kRows * kWidth];
    const Bf16TileTerm term{a.data, a.stride, panel_, depth_};
    const Bf16Tiles in_use;
    multiply_bf16_tile(&term, 1, count, sums, kWidth);
    for (int64_t r = 0; r < count; ++r)
      for (int64_t j = 0; j < low_.rank; ++j)
        low_.out[(row + r) * low_.stride + j] = sums[r * kWidth + j];
  }

 private:
  LowProduct low_;
  int64_t depth_;
  uint16_t* panel_;
};

}  // namespace

bool has_bf16_products() {
  return uses_amx();
}

Bf16Rows scratch_bf16_rows(Scratch which, int64_t m, int64_t k) {
  const int64_t stride = padded(k);
  return {scratch<uint16_t>(which, static_cast<size_t>(readable_rows(m) * stride)), stride};
}

Bf16Buffer::Bf16Buffer(int64_t m, int64_t k)
    : memory_(readable_rows(m) * padded(k) / 2),
      rows_{reinterpret_cast<uint16_t*>(memory_.data()), padded(k)} {}

Bf16Buffer::Bf16Buffer(const float* a, int64_t stride, int64_t m, int64_t k) : Bf16Buffer(m, k) {
  round_rows({.a = a, .stride = stride, .m = m, .k = k, .on_all_threads = false}, rows_);
}

void round_rows(const RoundJob& job, const Bf16Rows& out) {
  std::optional<Bf16LowProduct> low;
  if (job.low.rank > 0 && job.low.width == kWidth) low.emplace(job.low, job.k);
  const auto rows = [&](int64_t begin, int64_t end, int) {
    for (int64_t from = begin * kRows; from < std::min(end * kRows, job.m); from += kRows) {
      const int64_t count = std::min(kRows, job.m - from);
      for (int64_t row = from; row < from + count; ++row)
        round_row(job.a + row * job.stride, job.k, out.stride, out.data + row * out.stride);
      if (low) low->multiply({out.data + from * out.stride, out.stride}, from, count);
    }
  };
  const int64_t tiles = readable_rows(job.m) / kRows;
  if (job.on_all_threads) {
    parallel_for(tiles, 1, rows);
  } else {
    rows(0, tiles, 0);
  }
  if (job.low.rank == 0 || low) return;
  const Bf16Term term{out, job.k, {.matrix = job.low.panel, .stride = job.low.width}};
  const GemmOutput output{
      .c = job.low.out, .stride = job.low.stride, .m = job.m, .n = job.low.rank};
  job.on_all_threads ? bf16_gemm({&term, 1}, output) : bf16_gemm_on_this_thread({&term, 1}, output);
}

void bf16_gemm(std::span<const Bf16Term> terms, const GemmOutput& output) {
  if (output.m <= 0 || output.n <= 0) return;
  constexpr int64_t kBlockBytes = 2 << 20;  // of A: a panel is expanded once for them
  int64_t depth = 0;
  for (const Bf16Term& term : terms) depth += padded(term.k);
  const int64_t panels = (output.n + kWidth - 1) / kWidth, tiles = readable_rows(output.m) / kRows;
  const int64_t fitting = std::max<int64_t>(kBlockBytes / (2 * depth * kRows), 1);
  int64_t blocks = (tiles + fitting - 1) / fitting;
  // Few panels: cut the rows finer so that every thread has work.
  const int64_t wanted = (3 * thread_count() + panels - 1) / panels;
  blocks = std::max<int64_t>({blocks, std::min(wanted, tiles / 2), 1});
  parallel_for(blocks * panels, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t block = task / panels, from = tiles * block / blocks,
                    to = tiles * (block + 1) / blocks;
      run_panel(terms, output, task % panels * kWidth, from * kRows,
                std::min(to * kRows, output.m));
    }
  });
}

void bf16_gemm_on_this_thread(std::span<const Bf16Term> terms, const GemmOutput& output) {
  for (int64_t n = 0; n < output.n; n += kWidth) run_panel(terms, output, n, 0, output.m);
}

}  // namespace toolkit::tensor::cpu

// One panel of a sum of products on the calling thread. Included once per target by foreach_target.

#include <hwy/highway.h>

#include <algorithm>

#include "core/tensor/cpu/gemm.h"
#include "core/tensor/cpu/gemm_tile-inl.h"
#include "core/tensor/cpu/pack-inl.h"
#include "core/tensor/cpu/scratch.h"

#if defined(TOOLKIT_GEMM_BLOCK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOOLKIT_GEMM_BLOCK_INL_H_
#undef TOOLKIT_GEMM_BLOCK_INL_H_
#else
#define TOOLKIT_GEMM_BLOCK_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// A piece of a term: columns [k0, k1) of its A.
struct TermPiece {
  const GemmTerm* term;
  int64_t k0, k1;
};

/// The pieces that one pass over C sums up: their panels lie in the second-level cache together.
struct GemmPass {
  static constexpr int kMaxPieces = 16;
  TermPiece pieces[kMaxPieces];
  int count = 0;
  int64_t depth = 0;
  bool first = false;
};

/// How deep one pass goes: two vectors x this many floats are half of a small second-level cache.
constexpr int64_t kPassDepth = 768;

/// Cuts terms into passes; `piece_of(pass)` is called for each pass in order.
template <class Function>
HWY_INLINE void for_each_pass(const GemmTerm* terms, int64_t count, const Function& run) {
  GemmPass pass;
  pass.first = true;
  for (int64_t t = 0; t < count; ++t) {
    for (int64_t k = 0; k < terms[t].k;) {
      int64_t take = std::min(terms[t].k - k, kPassDepth - pass.depth);
      // Groups are never split; a small rest joins the pass rather than making its own.
      if (k + take < terms[t].k) take = take / 128 * 128;
      if (terms[t].k - k <= 64 && pass.count < GemmPass::kMaxPieces) take = terms[t].k - k;
      if (take > 0) {
        pass.pieces[pass.count++] = {&terms[t], k, k + take};
        pass.depth += take;
        k += take;
      }
      const bool done = k >= terms[t].k;
      if (!done || pass.depth >= kPassDepth || pass.count == GemmPass::kMaxPieces) {
        // The last term is small when it is a LoRA branch: let it in before the pass is run.
        const bool small_next =
            done && t + 1 < count && terms[t + 1].k <= 64 && pass.count < GemmPass::kMaxPieces;
        if (small_next) continue;
        run(pass);
        pass = GemmPass{};
      }
    }
  }
  if (pass.count > 0 || pass.first) run(pass);
}

/// Adds (or writes) one pass for columns [n0, n0 + width) and rows [m0, m1) of C.
template <int kVectors>
HWY_NOINLINE void run_panel(const GemmPass& pass, const GemmOutput& output, int64_t n0, int64_t m0,
                            int64_t m1) {
  constexpr int64_t kWidth =
      kVectors * static_cast<int64_t>(hn::MaxLanes(hn::ScalableTag<float>()));
  float* panel = scratch<float>(Scratch::kPanel, static_cast<size_t>((pass.depth + 1) * kWidth));
  const int64_t columns = std::min(kWidth, output.n - n0);
  TileTerm terms[GemmPass::kMaxPieces];
  int64_t depth = 0;
  for (int p = 0; p < pass.count; ++p) {
    const TermPiece& piece = pass.pieces[p];
    float* part = panel + depth * kWidth;
    fill_panel(piece.term->b, {piece.k0, piece.k1, n0, columns, kWidth}, part);
    terms[p] = {piece.term->a + piece.k0, piece.term->stride, part, piece.k1 - piece.k0};
    depth += piece.k1 - piece.k0;
  }
  float* bias = nullptr;
  if (pass.first && output.bias) {
    bias = panel + depth * kWidth;
    for (int64_t j = 0; j < kWidth; ++j) bias[j] = j < columns ? output.bias[n0 + j] : 0.0f;
  }
  // Tiles of nearly equal height: a short last one would waste registers.
  const int64_t rows = m1 - m0, tiles = (rows + kTileRows - 1) / kTileRows;
  for (int64_t i = 0, m = m0; i < tiles; ++i) {
    const int64_t end = m0 + rows * (i + 1) / tiles;
    TileTerm here[GemmPass::kMaxPieces];
    for (int p = 0; p < pass.count; ++p) {
      here[p] = terms[p];
      here[p].a += m * terms[p].stride;
    }
    tile_function<kVectors>(end - m)(here, pass.count,
                                     {output.c + m * output.stride + n0, output.stride, bias,
                                      columns, output.accumulate || !pass.first});
    m = end;
  }
}

HWY_INLINE int64_t panel_width(int64_t n) {
  const int64_t lanes = static_cast<int64_t>(hn::MaxLanes(hn::ScalableTag<float>()));
  return n <= lanes ? lanes : 2 * lanes;
}

HWY_INLINE void run_panel_of_width(int64_t width, const GemmPass& pass, const GemmOutput& output,
                                   int64_t n0, int64_t m0, int64_t m1) {
  if (width == static_cast<int64_t>(hn::MaxLanes(hn::ScalableTag<float>()))) {
    run_panel<1>(pass, output, n0, m0, m1);
  } else {
    run_panel<2>(pass, output, n0, m0, m1);
  }
}

HWY_INLINE void gemm_block(const GemmTerm* terms, int64_t count, const GemmOutput& output) {
  const int64_t width = panel_width(output.n);
  for_each_pass(terms, count, [&](const GemmPass& pass) {
    for (int64_t n = 0; n < output.n; n += width)
      run_panel_of_width(width, pass, output, n, 0, output.m);
  });
}

}  // namespace toolkit::tensor::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

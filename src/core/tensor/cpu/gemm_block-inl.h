// One panel of a sum of products on the calling thread. Included once per target by foreach_target.

#include <hwy/highway.h>

#include <algorithm>

#include "core/tensor/cpu/gemm.h"
#include "core/tensor/cpu/gemm_tile-inl.h"
#include "core/tensor/cpu/pack-inl.h"
#include "core/tensor/cpu/pack_rows-inl.h"
#include "core/tensor/cpu/packed_rows.h"
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
HWY_INLINE void for_each_pass(std::span<const GemmTerm> terms, const Function& run) {
  const size_t count = terms.size();
  GemmPass pass;
  pass.first = true;
  for (size_t t = 0; t < count; ++t) {
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

/// One pass of the second sum, on panels that are filled; `zeros` is as long as they are wide.
template <int kVectors>
HWY_INLINE void run_beside(const GemmPass& pass, const GemmBeside& beside, int64_t n0,
                           int64_t columns, const float* const* panels, const float* zeros) {
  const TileRows rows{beside.m};
  for (int64_t t = 0; t < rows.tiles(); ++t) {
    TileTerm terms[GemmPass::kMaxPieces];
    int count = 0;
    for (int p = 0; p < pass.count; ++p) {
      const auto [term, k0, k1] = pass.pieces[p];
      if (term->beside)
        terms[count++] = {term->beside + (t * term->k + k0) * kTileStride, panels[p], k1 - k0};
    }
    float* c = beside.c + rows.begin(t) * beside.stride + n0;
    tile_function<kVectors>(rows.height(t))(
        terms, count,
        {c, beside.stride, pass.first ? zeros : c, pass.first ? 0 : beside.stride, columns});
  }
}

/// Adds (or writes) one pass for columns [n0, n0 + width) and the tiles [from, to) of rows of C.
template <int kVectors>
HWY_NOINLINE void run_panel(const GemmPass& pass, const GemmOutput& output, int64_t n0,
                            int64_t from, int64_t to) {
  constexpr int64_t kWidth =
      kVectors * static_cast<int64_t>(hn::MaxLanes(hn::ScalableTag<float>()));
  float* panel = scratch<float>(Scratch::kPanel, static_cast<size_t>((pass.depth + 1) * kWidth));
  const int64_t columns = std::min(kWidth, output.n - n0);
  const float* panels[GemmPass::kMaxPieces];
  for (int p = 0; p < pass.count; ++p) {
    const TermPiece& piece = pass.pieces[p];
    fill_panel(piece.term->b, {piece.k0, piece.k1, n0, columns, kWidth}, panel);
    panels[p] = panel;
    panel += (piece.k1 - piece.k0) * kWidth;
  }
  // Sums start with C, or with the bias, which is zero when there is none.
  const bool from_c = output.accumulate || !pass.first;
  float* bias = panel;
  for (int64_t j = 0; j < kWidth; ++j)
    bias[j] = pass.first && output.bias && j < columns ? output.bias[n0 + j] : 0.0f;
  const TileRows rows{output.m};
  if (output.accumulate && pass.first && output.bias)
    for (int64_t m = rows.begin(from); m < rows.begin(to); ++m)
      for (int64_t j = 0; j < columns; ++j) output.c[m * output.stride + n0 + j] += bias[j];
  for (int64_t t = from; t < to; ++t) {
    const int64_t m = rows.begin(t), height = rows.height(t);
    TileTerm terms[GemmPass::kMaxPieces];
    for (int p = 0; p < pass.count; ++p) {
      const auto [term, k0, k1] = pass.pieces[p];
      terms[p] = {term->packed + (t * term->k + k0) * kTileStride, panels[p], k1 - k0};
    }
    float* c = output.c + m * output.stride + n0;
    tile_function<kVectors>(height)(
        terms, pass.count,
        {c, output.stride, from_c ? c : bias, from_c ? output.stride : 0, columns});
  }
  if (from == 0 && output.beside.m > 0)
    run_beside<kVectors>(pass, output.beside, n0, columns, panels, bias);
}

HWY_INLINE int64_t panel_width(int64_t n) {
  const int64_t lanes = static_cast<int64_t>(hn::MaxLanes(hn::ScalableTag<float>()));
  return n <= lanes ? lanes : 2 * lanes;
}

HWY_INLINE void run_panel_of_width(int64_t width, const GemmPass& pass, const GemmOutput& output,
                                   int64_t n0, int64_t from, int64_t to) {
  if (width == static_cast<int64_t>(hn::MaxLanes(hn::ScalableTag<float>()))) {
    run_panel<1>(pass, output, n0, from, to);
  } else {
    run_panel<2>(pass, output, n0, from, to);
  }
}

/// The sum of products on this thread only.
HWY_INLINE void gemm_block(std::span<const GemmTerm> terms, const GemmOutput& output) {
  const PackedTerms packed(terms, output.m);
  const int64_t width = panel_width(output.n);
  for_each_pass(packed.terms(), [&](const GemmPass& pass) {
    for (int64_t n = 0; n < output.n; n += width)
      run_panel_of_width(width, pass, output, n, 0, TileRows{output.m}.tiles());
  });
}

}  // namespace toolkit::tensor::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

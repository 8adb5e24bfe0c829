#pragma once

#include <map>
#include <optional>

#include "core/tensor/array_fwd.h"
#include "mlx/array.h"

namespace toolkit::tensor {

/// Masks of the plain graph, by window: what one layer made of a pass's segments and prefix serves
/// the layers after it. Belongs to one pass; our CPU kernels have no masks.
struct AttentionMasks {
  std::map<int, mx::array> by_window;
};

struct AttentionOptions {
  float scale = 1.0f;    // of q k^T, before softcap
  bool causal = true;    // query t sees keys <= t + (S - T)
  int window = 0;        // sliding window: only the last `window` keys; 0: all
  float softcap = 0.0f;  // scores = softcap * tanh(scores / softcap); 0: none (Gemma 2)
  /// Packed rows: (B, T) int32 segment ids; a query sees only keys of its own segment; S == T.
  /// Segments are runs of equal ids; id -1 marks padding.
  std::optional<mx::array> segments = std::nullopt;
  /// Packed rows whose segments go on from one shared beginning: (B) int32, the first prefix[b]
  /// keys of row b, no more than its first segment has, are seen by every later segment of it too.
  /// To each of them it is as if they stood right before its own keys: a window counts that way.
  /// Needs segments and causal.
  std::optional<mx::array> prefix = std::nullopt;
  AttentionMasks* masks = nullptr;  // of this pass; null: made anew
};

/// Grouped-query attention without keeping the T x S matrix.
///   q        (B, T, H, D)
///   k, v     (B, S, Hkv, D), S >= T, H % Hkv == 0
///   returns  (B, T, H, D). Differentiable in q, k, v (backward recomputes the scores by blocks,
///            Dao et al. 2022, arXiv:2205.14135).
mx::array attention(const mx::array& q, const mx::array& k, const mx::array& v,
                    const AttentionOptions& options);

}  // namespace toolkit::tensor

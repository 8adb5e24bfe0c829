#pragma once

#include "core/tensor/array_fwd.h"

namespace toolkit::tensor {

/// Rotates query or key pairs (i, i + D'/2) by position: Hugging Face's "half split" convention.
///   x            (B, T, H, D)
///   frequencies  (D'/2) f32, angle per position of each pair, D' <= D even; the rest passes.
///                Scaling (linear, llama3, yarn) is in the frequencies and in `scale`.
///   offset       position of x[:, 0]
///   scale        multiplies the rotated part (yarn's attention factor; 1 otherwise)
///   returns      (B, T, H, D). Differentiable in x. (Su et al. 2021, arXiv:2104.09864)
mx::array rope(const mx::array& x, const mx::array& frequencies, int offset, float scale = 1.0f);

/// The same with a position for each token: `positions` (B, T) int32, none negative.
mx::array rope(const mx::array& x, const mx::array& frequencies, const mx::array& positions,
               float scale = 1.0f);

}  // namespace toolkit::tensor

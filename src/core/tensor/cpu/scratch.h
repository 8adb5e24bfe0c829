#pragma once

#include <cstddef>

namespace toolkit::tensor::cpu {

/// Which of a thread's work buffers; each kernel's own, so that nested kernels do not collide.
enum class Scratch {
  kPanel,          // expanded weights
  kPanelRows,      // a piece of them as f32, before it is rounded
  kRows,           // rows on their way to a transposed panel
  kScales,         // scales and biases as f32
  kActivation,     // rearranged activations
  kQuantized,      // activations in int8
  kQuantizedTile,  // a tile of them
  kLogits,
  kAttentionScores,
  kAttentionSums,
  kGradient,
  kLowPanel,  // a low-rank factor on its way to a product
  kLowRows,   // rows of that product
  kDecode,    // the intermediate results of one token in one layer
  kCount,
};

/// A 64-byte aligned buffer of this thread that lives until the next request for the same one; only
/// ever grows. Contents are undefined.
void* scratch_bytes(Scratch which, size_t bytes);

template <class T>
T* scratch(Scratch which, size_t count) {
  return static_cast<T*>(scratch_bytes(which, count * sizeof(T)));
}

}  // namespace toolkit::tensor::cpu

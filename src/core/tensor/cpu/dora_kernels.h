#pragma once

#include <cstdint>

namespace toolkit::tensor::cpu {

/// The outputs of a DoRA layer, y = scale * y + bias with scale = magnitude / norm, and
/// norm^2 = squared_norms + 2 factor (W a).b + factor^2 b^T (a^T a) b for every output.
struct DoraOutputs {
  const float* directions = nullptr;  // (rank, outputs): (W a)^T
  const float* gram = nullptr;        // (rank, rank): a^T a
  const float* b = nullptr;           // (rank, outputs)
  int64_t rank = 0;
  float factor = 1.0f;
  const float* squared_norms = nullptr;  // (outputs)
  const float* magnitude = nullptr;      // (outputs)
  const float* bias = nullptr;           // (outputs), or null
  float* scale = nullptr;                // (outputs), written
  float* y = nullptr;                    // (rows, outputs)
  int64_t rows = 0, outputs = 0;
};

/// Writes scale and y on all threads.
void scale_dora_outputs(const DoraOutputs& problem);

}  // namespace toolkit::tensor::cpu

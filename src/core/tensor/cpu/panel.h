#pragma once

#include <cstdint>

#include "core/tensor/cpu/gemm.h"

namespace toolkit::tensor::cpu {

/// Columns of the right factor that a product of tiles takes at once.
constexpr int64_t kPanelColumns = 32;

/// Rows [k0, k1) and columns [n0, n0 + columns) of a right factor; columns <= 32, n0 a multiple of
/// 32, k0 of 128.
struct PanelPart {
  int64_t k0, k1, n0, columns;
};

/// That part as f32 rows of 32, zeros in missing columns. Only where vectors are 512 bits wide.
void expand_panel(const RightFactor& b, const PanelPart& part, float* out);

}  // namespace toolkit::tensor::cpu

#pragma once

#include "core/tensor/array_fwd.h"

namespace toolkit::tensor {

enum class Gate { kSilu, kGeluTanh };

/// SwiGLU / GeGLU: act(gate) * up, elementwise. Differentiable in both; backward recomputes
/// the activation. (Shazeer 2020, arXiv:2002.05202)
mx::array gated_activation(const mx::array& gate, const mx::array& up, Gate kind);

}  // namespace toolkit::tensor

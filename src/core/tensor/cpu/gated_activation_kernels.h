#pragma once

#include <cstdint>

#include "core/tensor/gated_activation.h"

namespace toolkit::tensor::cpu {

/// out = act(gate) * up over `count` floats; `out` may be either input.
void gated_forward(const float* gate, const float* up, float* out, int64_t count, Gate kind);

/// dgate = dout * up * act'(gate), dup = dout * act(gate). Each output may be any of the inputs.
void gated_backward(const float* gate, const float* up, const float* dout, float* dgate, float* dup,
                    int64_t count, Gate kind);

}  // namespace toolkit::tensor::cpu

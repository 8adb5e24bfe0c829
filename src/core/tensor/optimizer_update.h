#pragma once

#include <span>
#include <variant>
#include <vector>

#include "core/tensor/array_fwd.h"
#include "mlx/array.h"

namespace toolkit::tensor {

/// Elements of a first moment in 8 bits that share one scale.
constexpr int kMomentBlock = 64;

/// m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, both corrected for their start at zero; the
/// parameter shrinks by rate * decay and moves by rate * m / (sqrt(v) + eps). State: m, v.
/// (Loshchilov & Hutter 2017, arXiv:1711.05101)
struct AdamwRule {
  float beta1 = 0.9f, beta2 = 0.999f, eps = 1e-8f;
  int step = 1;  // counts from 1
};

/// AdamW whose first moment lies in 8 bits between steps: in blocks of kMomentBlock elements, each
/// with its largest magnitude / 127 as scale (block-wise quantization: Dettmers et al. 2021,
/// arXiv:2110.02861). The second moment stays f32: a small one rounded to zero would divide by eps.
/// State: codes (int8, the parameter's shape), scales (blocks), v.
struct Adamw8bitRule {
  AdamwRule adamw;
};

/// The parameter shrinks by rate * decay and moves by rate * sign(b1 m + (1 - b1) g); then
/// m = b2 m + (1 - b2) g. State: m. (Chen et al. 2023, arXiv:2302.06675)
struct LionRule {
  float beta1 = 0.9f, beta2 = 0.99f;
};

/// g = g + decay * parameter; m = momentum * m + g; the parameter moves by rate * m, with
/// Nesterov's form by rate * (g + momentum * m), without momentum by rate * g. State: m, or nothing
/// without momentum. (Sutskever et al. 2013, as in torch.optim.SGD)
struct SgdRule {
  float momentum = 0.0f;
  bool nesterov = false;
};

using UpdateRule = std::variant<AdamwRule, Adamw8bitRule, LionRule, SgdRule>;

/// One parameter with all its update needs.
struct TensorUpdate {
  mx::array parameter, gradient;
  std::vector<mx::array> state;  // as the rule says
  float learning_rate, weight_decay = 0.0f;
};

/// What happens to the gradients first.
struct GradientScaling {
  mx::array norm;         // gradient_norm of all of them
  float scale = 1.0f;     // multiplies every gradient (1 / tokens)
  float max_norm = 0.0f;  // then their norm is clipped to this; 0: no clipping
};

struct UpdatedTensor {
  mx::array parameter;
  std::vector<mx::array> state;
};

/// Norm of all gradients together, times `scale`: () f32.
mx::array gradient_norm(std::span<const mx::array> gradients, float scale);

/// What every gradient is multiplied by, () f32: the scale, and the clipping of the norm.
mx::array gradient_factor(const GradientScaling& scaling);

/// One optimizer step over all tensors in one pass; buffers of the inputs are reused when nobody
/// else holds them. A norm that is NaN or Inf leaves everything as it was.
std::vector<UpdatedTensor> optimizer_update(std::vector<TensorUpdate> tensors,
                                            const UpdateRule& rule, const GradientScaling& scaling);

/// Adds gradients to the sums of earlier batches, in place where nobody else holds the sums.
std::vector<mx::array> add_gradients(std::vector<mx::array> sums,
                                     std::span<const mx::array> gradients);

}  // namespace toolkit::tensor

#include "core/tensor/linear.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::tensor {

mx::array dora_scale(const LinearTerms& map) {
  const LoraBranch& lora = *map.lora;
  const mx::array a = mx::stop_gradient(lora.a), b = mx::stop_gradient(lora.b);
  // ||w + s d||^2 = ||w||^2 + 2 s w.d + s^2 ||d||^2 for every row w and its change d = (a b)^T.
  const mx::array directions =
      linear(mx::transpose(a), {.weight = map.weight});  // (r, out): (W a)^T
  const mx::array gram = mx::matmul(mx::transpose(a), a);
  const float s = lora.scale;
  const mx::array both = mx::add(mx::multiply(directions, mx::array(2.0f * s)),
                                 mx::multiply(mx::matmul(gram, b), mx::array(s * s)));
  const mx::array squares = mx::add(*map.dora->squared_norms, mx::sum(mx::multiply(b, both), 0));
  // Rounding may leave a row of zeros below zero; its outputs are zeros whatever the factor.
  const mx::array norm = mx::sqrt(mx::maximum(squares, mx::array(1e-30f)));
  return mx::divide(*map.dora->magnitude, mx::stop_gradient(norm));
}

}  // namespace toolkit::tensor

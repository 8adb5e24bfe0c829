#include "core/tensor/plain/encoder.h"

#include <numbers>

#include "mlx/mlx.h"

namespace toolkit::tensor::plain {

mx::array layer_norm(const mx::array& x, const mx::array& weight, const mx::array& bias,
                     float eps) {
  return mx::fast::layer_norm(x, mx::astype(weight, x.dtype()), mx::astype(bias, x.dtype()), eps);
}

mx::array activation(const mx::array& x, Activation kind) {
  const auto number = [&](double value) { return mx::array(static_cast<float>(value), x.dtype()); };
  if (kind == Activation::kRelu) return mx::maximum(x, number(0.0));
  mx::array inner = mx::multiply(x, number(1.0 / std::numbers::sqrt2));
  if (kind == Activation::kGeluTanh) {
    const mx::array cubic = mx::multiply(mx::multiply(mx::square(x), x), number(0.044715));
    inner = mx::tanh(
        mx::multiply(mx::add(x, cubic), number(std::numbers::sqrt2 * std::numbers::inv_sqrtpi)));
  } else {
    inner = mx::erf(inner);
  }
  return mx::multiply(mx::multiply(x, number(0.5)), mx::add(inner, number(1.0)));
}

}  // namespace toolkit::tensor::plain

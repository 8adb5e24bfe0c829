#include "core/tensor/linear.h"

#include "core/tensor/plain/plain.h"
#include "mlx/mlx.h"

namespace toolkit::tensor {

int Weight::rows() const { return data.shape(0); }

int Weight::columns() const { return quantized() ? data.shape(1) * 32 / bits : data.shape(1); }

mx::array dequantized(const Weight& weight, mx::Dtype dtype) {
  if (!weight.quantized()) return mx::astype(weight.data, dtype);
  return mx::astype(mx::dequantize(weight.data, *weight.scales, weight.biases, weight.group_size, weight.bits),
                    dtype);
}

struct PreparedWeight {};

std::shared_ptr<const PreparedWeight> prepare(const Weight&, Compute) { return nullptr; }

std::vector<mx::array> linear_group(const mx::array& x, std::span<const LinearTerms> maps, Compute) {
  return plain::linear_group(x, maps);
}

mx::array linear(const mx::array& x, const LinearTerms& map, Compute compute) {
  return linear_group(x, {&map, 1}, compute)[0];
}

}  // namespace toolkit::tensor

#include "core/tensor/plain/plain.h"
#include "mlx/backend/cuda/cuda.h"
#include "mlx/mlx.h"

namespace toolkit::tensor::plain {

namespace {

// MLX's kernels for vectors come compiled.
constexpr int64_t kVectorRows = 1;

}  // namespace

bool expands_packed(const mx::array& x) {
  const int64_t rows = x.shape(-1) > 0 ? static_cast<int64_t>(x.size()) / x.shape(-1) : 0;
  return rows > kVectorRows && mx::cu::is_available() && mx::default_device() == mx::Device::gpu;
}

mx::array expanded_product(const mx::array& x, const Weight& packed) {
  const auto expanded = [](const std::vector<mx::array>& in, int group, int bits) {
    return mx::dequantize(in[1], in[2], in.size() > 3 ? std::optional(in[3]) : std::nullopt, group,
                          bits);
  };
  const int group = packed.group_size, bits = packed.bits;
  const auto forward = [=](const std::vector<mx::array>& in) {
    return std::vector<mx::array>{mx::matmul(in[0], mx::transpose(expanded(in, group, bits)))};
  };
  const auto backward = [=](const std::vector<mx::array>& in, const std::vector<mx::array>& given,
                            const std::vector<mx::array>&) {
    std::vector<mx::array> gradients = {mx::matmul(given[0], expanded(in, group, bits))};
    for (size_t i = 1; i < in.size(); ++i) gradients.push_back(mx::zeros_like(in[i]));
    return gradients;
  };
  std::vector<mx::array> inputs = {x, packed.data, *packed.scales};
  if (packed.biases) inputs.push_back(*packed.biases);
  return mx::custom_vjp(forward, backward)(inputs)[0];
}

}  // namespace toolkit::tensor::plain

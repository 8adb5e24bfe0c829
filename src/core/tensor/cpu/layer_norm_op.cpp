#include "core/tensor/cpu/layer_norm_op.h"

#include "core/tensor/cpu/encoder_kernels.h"
#include "core/tensor/cpu/primitive.h"
#include "core/tensor/cpu/thread_pool.h"
#include "mlx/fast.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::tensor::cpu {

namespace {

constexpr int64_t kRowsPerTask = 8;

/// {x, weight, bias, [delta]} -> {y}
class LayerNorm : public CpuPrimitive {
 public:
  explicit LayerNorm(float eps) : eps_(eps) {}
  const char* name() const override { return "LayerNorm"; }
  bool is_equivalent(const mx::Primitive& other) const override {
    return static_cast<const LayerNorm&>(other).eps_ == eps_;
  }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    const mx::array x = in_rows(inputs[0], stream()), weight = in_rows(inputs[1], stream()),
                    bias = in_rows(inputs[2], stream());
    const float* delta = inputs.size() > 3 ? in_rows(inputs[3], stream()).data<float>() : nullptr;
    const int64_t width = x.shape(-1), rows = static_cast<int64_t>(x.size()) / width;
    allocate(outputs[0]);
    schedule(stream(), [=, from = x.data<float>(), w = weight.data<float>(), b = bias.data<float>(),
                        to = outputs[0].data<float>(), eps = eps_] {
      parallel_for(rows, kRowsPerTask, [&](int64_t begin, int64_t end, int) {
        const int64_t at = begin * width;
        layer_norm_rows(from + at, delta ? delta + at : nullptr, w, b, to + at, end - begin, width,
                        eps);
      });
    });
  }

  std::vector<mx::array> vjp(const std::vector<mx::array>& primals,
                             const std::vector<mx::array>& cotangents,
                             const std::vector<int>& argnums,
                             const std::vector<mx::array>&) override {
    const auto written = [eps = eps_](const std::vector<mx::array>& in) {
      const mx::array sum = in.size() > 3 ? mx::add(in[0], in[3]) : in[0];
      return std::vector<mx::array>{mx::fast::layer_norm(sum, in[1], in[2], eps)};
    };
    const std::vector<mx::array> all = mx::vjp(written, primals, cotangents).second;
    std::vector<mx::array> gradients;
    for (const int argument : argnums) gradients.push_back(all[static_cast<size_t>(argument)]);
    return gradients;
  }

 private:
  float eps_;
};

}  // namespace

mx::array layer_norm(const mx::array& x, const mx::array& weight, const mx::array& bias, float eps,
                     const mx::array* delta) {
  std::vector<mx::array> inputs = {x, weight, bias};
  if (delta) inputs.push_back(*delta);
  return mx::array(x.shape(), mx::float32, std::make_shared<LayerNorm>(eps), std::move(inputs));
}

}  // namespace toolkit::tensor::cpu

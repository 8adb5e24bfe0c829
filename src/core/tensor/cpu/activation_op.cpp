#include "core/tensor/cpu/activation_op.h"

#include "core/tensor/cpu/encoder_kernels.h"
#include "core/tensor/cpu/primitive.h"
#include "core/tensor/cpu/thread_pool.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::tensor::cpu {

namespace {

constexpr int64_t kElementsPerTask = 8192;
constexpr float kSqrtHalf = 0.70710678118654752f;
constexpr float kGeluRoot = 0.7978845608028654f;  // sqrt(2 / pi)

/// dy/dx of the activation as MLX's own graph.
mx::array slope(const mx::array& x, Activation kind) {
  if (kind == Activation::kRelu) return mx::astype(mx::greater(x, mx::array(0.0f)), mx::float32);
  const mx::array half(0.5f), one(1.0f), square = mx::square(x);
  if (kind == Activation::kGelu) {
    const mx::array phi =
        mx::multiply(half, mx::add(one, mx::erf(mx::multiply(x, mx::array(kSqrtHalf)))));
    const mx::array density =
        mx::multiply(mx::exp(mx::multiply(square, mx::array(-0.5f))), mx::array(0.5f * kGeluRoot));
    return mx::add(phi, mx::multiply(x, density));
  }
  const mx::array inner = mx::multiply(mx::multiply(x, mx::array(kGeluRoot)),
                                       mx::add(one, mx::multiply(square, mx::array(0.044715f))));
  const mx::array bent = mx::tanh(inner);
  const mx::array inner_slope = mx::multiply(
      mx::array(kGeluRoot), mx::add(one, mx::multiply(square, mx::array(3.0f * 0.044715f))));
  const mx::array turn = mx::multiply(mx::subtract(one, mx::square(bent)), inner_slope);
  return mx::multiply(half, mx::add(mx::add(one, bent), mx::multiply(x, turn)));
}

/// {x} -> {y}
class ElementwiseActivation : public CpuPrimitive {
 public:
  explicit ElementwiseActivation(Activation kind) : kind_(kind) {}
  const char* name() const override { return "Activation"; }
  bool is_equivalent(const mx::Primitive& other) const override {
    return static_cast<const ElementwiseActivation&>(other).kind_ == kind_;
  }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    const float* from = in_rows(inputs[0], stream()).data<float>();
    allocate_or_reuse(outputs[0], inputs[0]);
    schedule(stream(), [=, to = outputs[0].data<float>(),
                        count = static_cast<int64_t>(inputs[0].size()), kind = kind_] {
      parallel_for(count, kElementsPerTask, [&](int64_t begin, int64_t end, int) {
        activate(from + begin, to + begin, end - begin, kind);
      });
    });
  }

  std::vector<mx::array> vjp(const std::vector<mx::array>& primals,
                             const std::vector<mx::array>& cotangents, const std::vector<int>&,
                             const std::vector<mx::array>&) override {
    return {mx::multiply(cotangents[0], slope(primals[0], kind_))};
  }

 private:
  Activation kind_;
};

}  // namespace

mx::array activation(const mx::array& x, Activation kind) {
  return mx::array(x.shape(), mx::float32, std::make_shared<ElementwiseActivation>(kind), {x});
}

}  // namespace toolkit::tensor::cpu

#include "core/tensor/cpu/gated_activation_op.h"

#include "core/tensor/cpu/gated_activation_kernels.h"
#include "core/tensor/cpu/primitive.h"
#include "core/tensor/cpu/thread_pool.h"
#include "mlx/ops.h"

namespace toolkit::tensor::cpu {

namespace {

constexpr int64_t kElementsPerTask = 8192;

/// {gate, up, dout} -> {dgate, dup}
class GatedBackward : public CpuPrimitive {
 public:
  explicit GatedBackward(Gate kind) : kind_(kind) {}
  const char* name() const override { return "GatedActivationBackward"; }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    release_inputs_of_siblings(inputs, outputs);
    const float* gate = in_rows(inputs[0], stream()).data<float>();
    const float* up = in_rows(inputs[1], stream()).data<float>();
    const float* dout = in_rows(inputs[2], stream()).data<float>();
    allocate_or_reuse(outputs[0], inputs[0]);
    // up or dout, whichever is free.
    if (inputs[1].is_donatable()) {
      allocate_or_reuse(outputs[1], inputs[1]);
    } else {
      allocate_or_reuse(outputs[1], inputs[2]);
    }
    schedule(stream(), [=, dgate = outputs[0].data<float>(), dup = outputs[1].data<float>(),
                        count = static_cast<int64_t>(inputs[0].size()), kind = kind_] {
      parallel_for(count, kElementsPerTask, [&](int64_t begin, int64_t end, int) {
        gated_backward(gate + begin, up + begin, dout + begin, dgate + begin, dup + begin,
                       end - begin, kind);
      });
    });
  }

 private:
  Gate kind_;
};

/// {gate, up} -> {out}
class GatedActivation : public CpuPrimitive {
 public:
  explicit GatedActivation(Gate kind) : kind_(kind) {}
  const char* name() const override { return "GatedActivation"; }
  bool is_equivalent(const mx::Primitive& other) const override {
    return static_cast<const GatedActivation&>(other).kind_ == kind_;
  }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    const float* gate = in_rows(inputs[0], stream()).data<float>();
    const float* up = in_rows(inputs[1], stream()).data<float>();
    allocate_or_reuse(outputs[0], inputs[0].is_donatable() ? inputs[0] : inputs[1]);
    schedule(stream(), [=, out = outputs[0].data<float>(),
                        count = static_cast<int64_t>(inputs[0].size()), kind = kind_] {
      parallel_for(count, kElementsPerTask, [&](int64_t begin, int64_t end, int) {
        gated_forward(gate + begin, up + begin, out + begin, end - begin, kind);
      });
    });
  }

  std::vector<mx::array> vjp(const std::vector<mx::array>& primals,
                             const std::vector<mx::array>& cotangents,
                             const std::vector<int>& argnums,
                             const std::vector<mx::array>&) override {
    const auto both = mx::array::make_arrays(
        {primals[0].shape(), primals[1].shape()}, {mx::float32, mx::float32},
        std::make_shared<GatedBackward>(kind_), {primals[0], primals[1], cotangents[0]});
    std::vector<mx::array> gradients;
    for (const int argument : argnums) gradients.push_back(both[static_cast<size_t>(argument)]);
    return gradients;
  }

 private:
  Gate kind_;
};

}  // namespace

mx::array gated_activation(const mx::array& gate, const mx::array& up, Gate kind) {
  return mx::array(gate.shape(), mx::float32, std::make_shared<GatedActivation>(kind), {gate, up});
}

}  // namespace toolkit::tensor::cpu

#include "core/tensor/cpu/scale_columns_op.h"

#include "core/tensor/cpu/primitive.h"
#include "core/tensor/cpu/scale_columns_kernels.h"
#include "core/tensor/cpu/thread_pool.h"
#include "mlx/ops.h"

namespace toolkit::tensor::cpu {

namespace {

constexpr int64_t kRowsPerTask = 32;

/// {y, dy, scale, [bias]} -> {dx, dscale}
class ScaleColumnsBackward : public CpuPrimitive {
 public:
  const char* name() const override { return "ScaleColumnsBackward"; }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    release_inputs_of_siblings(inputs, outputs);
    const float* y = in_rows(inputs[0], stream()).data<float>();
    const float* dy = in_rows(inputs[1], stream()).data<float>();
    const float* scale = in_rows(inputs[2], stream()).data<float>();
    const float* bias = inputs.size() > 3 ? in_rows(inputs[3], stream()).data<float>() : nullptr;
    allocate_or_reuse(outputs[0], inputs[1]);
    allocate(outputs[1]);
    const int64_t width = inputs[2].shape(0);
    schedule(stream(), [=, dx = outputs[0].data<float>(), dscale = outputs[1].data<float>(),
                        rows = static_cast<int64_t>(inputs[0].size()) / width] {
      scale_columns_backward(y, dy, scale, bias, dx, dscale, rows, width);
      for (int64_t i = 0; i < width; ++i)
        dscale[i] = scale[i] == 0.0f ? 0.0f : dscale[i] / scale[i];
    });
  }
};

/// {x, scale, [bias]} -> {y}
class ScaleColumns : public CpuPrimitive {
 public:
  const char* name() const override { return "ScaleColumns"; }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    const float* x = in_rows(inputs[0], stream()).data<float>();
    const float* scale = in_rows(inputs[1], stream()).data<float>();
    const float* bias = inputs.size() > 2 ? in_rows(inputs[2], stream()).data<float>() : nullptr;
    allocate_or_reuse(outputs[0], inputs[0]);
    const int64_t width = inputs[1].shape(0);
    schedule(stream(), [=, y = outputs[0].data<float>(),
                        rows = static_cast<int64_t>(inputs[0].size()) / width] {
      parallel_for(rows, kRowsPerTask, [&](int64_t begin, int64_t end, int) {
        scale_columns_rows(x + begin * width, scale, bias, y + begin * width, end - begin, width);
      });
    });
  }

  std::vector<mx::array> vjp(const std::vector<mx::array>& primals,
                             const std::vector<mx::array>& cotangents,
                             const std::vector<int>& argnums,
                             const std::vector<mx::array>& outputs) override {
    std::vector<mx::array> inputs = {outputs[0], cotangents[0], primals[1]};
    if (primals.size() > 2) inputs.push_back(primals[2]);
    const auto made =
        mx::array::make_arrays({primals[0].shape(), primals[1].shape()}, {mx::float32, mx::float32},
                               std::make_shared<ScaleColumnsBackward>(), inputs);
    std::vector<mx::array> gradients;
    for (const int argument : argnums) gradients.push_back(made[static_cast<size_t>(argument)]);
    return gradients;
  }
};

}  // namespace

mx::array scale_columns(const mx::array& x, const mx::array& scale, const mx::array* bias) {
  std::vector<mx::array> inputs = {x, scale};
  if (bias) inputs.push_back(*bias);
  return mx::array(x.shape(), mx::float32, std::make_shared<ScaleColumns>(), std::move(inputs));
}

}  // namespace toolkit::tensor::cpu

#include "core/tensor/cpu/rms_norm_op.h"

#include <algorithm>
#include <optional>

#include "core/tensor/cpu/primitive.h"
#include "core/tensor/cpu/rms_norm_kernels.h"
#include "core/tensor/cpu/thread_pool.h"
#include "mlx/ops.h"

namespace toolkit::tensor::cpu {

namespace {

constexpr int64_t kRowsPerTask = 8;
constexpr int64_t kRowsPerBlock = 32;

/// {sum, weight, dy, [dsum]} -> {dx, [dweight]}
class RmsNormBackward : public CpuPrimitive {
 public:
  RmsNormBackward(float eps, bool want_weight) : eps_(eps), want_weight_(want_weight) {}
  const char* name() const override { return "RmsNormBackward"; }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    release_inputs_of_siblings(inputs, outputs);
    const mx::array sum = in_rows(inputs[0], stream()), weight = in_rows(inputs[1], stream());
    const bool carried = inputs.size() > 3;
    const float* dsum = carried ? in_rows(inputs[3], stream()).data<float>() : nullptr;
    const float* dy = in_rows(inputs[2], stream()).data<float>();
    allocate_or_reuse(outputs[0], carried ? inputs[3] : inputs[2]);
    if (want_weight_) allocate(outputs[1]);
    float* dweight = want_weight_ ? outputs[1].data<float>() : nullptr;
    schedule(stream(), [=, x = sum.data<float>(), w = weight.data<float>(),
                        dx = outputs[0].data<float>(), width = int64_t{sum.shape(-1)},
                        rows = static_cast<int64_t>(sum.size()) / sum.shape(-1),
                        eps = eps_] { run(x, w, dy, dsum, dx, dweight, rows, width, eps); });
  }

 private:
  static void run(const float* x, const float* w, const float* dy, const float* dsum, float* dx,
                  float* dweight, int64_t rows, int64_t width, float eps) {
    // The weight's gradient is summed per block of rows and then in order: the same whichever
    // thread did a block.
    const int64_t blocks = (rows + kRowsPerBlock - 1) / kRowsPerBlock;
    std::vector<float> partial(dweight ? static_cast<size_t>(blocks * width) : 0, 0.0f);
    parallel_for(blocks, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t block = begin; block < end; ++block) {
        const int64_t row = block * kRowsPerBlock, at = row * width;
        rms_norm_backward_rows(x + at, w, dy + at, dsum ? dsum + at : nullptr, dx + at,
                               dweight ? partial.data() + block * width : nullptr,
                               std::min(kRowsPerBlock, rows - row), width, eps);
      }
    });
    if (!dweight) return;
    std::fill(dweight, dweight + width, 0.0f);
    for (size_t i = 0; i < partial.size(); ++i)
      dweight[i % static_cast<size_t>(width)] += partial[i];
  }

  float eps_;
  bool want_weight_;
};

std::pair<mx::array, std::optional<mx::array>> backward(const mx::array& sum,
                                                        const mx::array& weight,
                                                        const mx::array& dy, const mx::array* dsum,
                                                        float eps, bool want_weight) {
  std::vector<mx::array> inputs = {sum, weight, dy};
  if (dsum) inputs.push_back(*dsum);
  auto primitive = std::make_shared<RmsNormBackward>(eps, want_weight);
  if (!want_weight)
    return {mx::array(sum.shape(), mx::float32, primitive, std::move(inputs)), std::nullopt};
  auto outputs = mx::array::make_arrays({sum.shape(), weight.shape()}, {mx::float32, mx::float32},
                                        primitive, inputs);
  return {outputs[0], outputs[1]};
}

/// {x, weight} -> {y}, or with a residual {x, weight, delta} -> {y, sum}
class RmsNorm : public CpuPrimitive {
 public:
  explicit RmsNorm(float eps) : eps_(eps) {}
  const char* name() const override { return "RmsNorm"; }
  bool is_equivalent(const mx::Primitive& other) const override {
    return static_cast<const RmsNorm&>(other).eps_ == eps_;
  }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    release_inputs_of_siblings(inputs, outputs);
    const bool residual = inputs.size() == 3;
    const float* x = in_rows(inputs[0], stream()).data<float>();
    const float* w = in_rows(inputs[1], stream()).data<float>();
    const float* delta = residual ? in_rows(inputs[2], stream()).data<float>() : nullptr;
    if (residual) {
      allocate(outputs[0]);
      allocate_or_reuse(outputs[1], inputs[2]);
    } else {
      allocate_or_reuse(outputs[0], inputs[0]);
    }
    float* sum = residual ? outputs[1].data<float>() : nullptr;
    const int64_t width = inputs[0].shape(-1),
                  rows = static_cast<int64_t>(inputs[0].size()) / width;
    schedule(stream(), [=, y = outputs[0].data<float>(), eps = eps_] {
      parallel_for(rows, kRowsPerTask, [&](int64_t begin, int64_t end, int) {
        const int64_t at = begin * width;
        rms_norm_rows(x + at, delta ? delta + at : nullptr, w, sum ? sum + at : nullptr, y + at,
                      end - begin, width, eps);
      });
    });
  }

  std::vector<mx::array> vjp(const std::vector<mx::array>& primals,
                             const std::vector<mx::array>& cotangents,
                             const std::vector<int>& argnums,
                             const std::vector<mx::array>& outputs) override {
    const bool residual = primals.size() == 3;
    const bool want_weight = std::find(argnums.begin(), argnums.end(), 1) != argnums.end();
    const auto [dx, dweight] =
        backward(residual ? outputs[1] : primals[0], primals[1], cotangents[0],
                 residual ? &cotangents[1] : nullptr, eps_, want_weight);
    std::vector<mx::array> gradients;
    for (const int argument : argnums) gradients.push_back(argument == 1 ? *dweight : dx);
    return gradients;
  }

 private:
  float eps_;
};

}  // namespace

mx::array rms_norm(const mx::array& x, const mx::array& weight, float eps) {
  return mx::array(x.shape(), mx::float32, std::make_shared<RmsNorm>(eps), {x, weight});
}

std::pair<mx::array, mx::array> add_rms_norm(const mx::array& x, const mx::array& delta,
                                             const mx::array& weight, float eps) {
  auto outputs = mx::array::make_arrays({x.shape(), x.shape()}, {mx::float32, mx::float32},
                                        std::make_shared<RmsNorm>(eps), {x, weight, delta});
  return {outputs[1], outputs[0]};
}

}  // namespace toolkit::tensor::cpu

#include "core/tensor/cpu/dropout_op.h"

#include <cmath>

#include "core/tensor/cpu/dropout_kernels.h"
#include "core/tensor/cpu/primitive.h"
#include "core/tensor/cpu/thread_pool.h"

namespace toolkit::tensor::cpu {

namespace {

constexpr int64_t kElementsPerTask = 4096;

/// {x} -> {y}; its gradient is the same op on the cotangent.
class Dropout : public CpuPrimitive {
 public:
  explicit Dropout(const DropoutDraw& draw) : draw_(draw) {}
  const char* name() const override { return "Dropout"; }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    const float* x = in_rows(inputs[0], stream()).data<float>();
    allocate_or_reuse(outputs[0], inputs[0]);
    schedule(stream(), [=, y = outputs[0].data<float>(), draw = draw_,
                        count = static_cast<int64_t>(outputs[0].size())] {
      parallel_for(count, kElementsPerTask,
                   [&](int64_t begin, int64_t end, int) { dropout_range(x, y, begin, end, draw); });
    });
  }

  std::vector<mx::array> vjp(const std::vector<mx::array>&,
                             const std::vector<mx::array>& cotangents, const std::vector<int>&,
                             const std::vector<mx::array>&) override {
    return {mx::array(cotangents[0].shape(), mx::float32, std::make_shared<Dropout>(draw_),
                      {cotangents[0]})};
  }

 private:
  DropoutDraw draw_;
};

}  // namespace

mx::array dropout(const mx::array& x, float rate, uint64_t key) {
  const DropoutDraw draw{
      .key_low = static_cast<uint32_t>(key),
      .key_high = static_cast<uint32_t>(key >> 32),
      .threshold = static_cast<uint32_t>(std::llround(double{rate} * 4294967296.0)),
      .factor = 1.0f / (1.0f - rate)};
  return mx::array(x.shape(), mx::float32, std::make_shared<Dropout>(draw), {x});
}

}  // namespace toolkit::tensor::cpu

#include "core/tensor/cpu/rope_op.h"

#include <span>

#include "core/base/error.h"
#include "core/tensor/cpu/primitive.h"
#include "core/tensor/cpu/rope_kernels.h"
#include "core/tensor/cpu/thread_pool.h"
#include "mlx/ops.h"

namespace toolkit::tensor::cpu {

namespace {

constexpr int64_t kTokensPerTask = 16;

/// {x, frequencies} -> {rotated x}
class Rope : public CpuPrimitive {
 public:
  Rope(int offset, float scale, bool backward)
      : offset_(offset), scale_(scale), backward_(backward) {}
  const char* name() const override { return "Rope"; }
  bool is_equivalent(const mx::Primitive& other) const override {
    const auto& o = static_cast<const Rope&>(other);
    return o.offset_ == offset_ && o.scale_ == scale_ && o.backward_ == backward_;
  }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    const float* from = in_rows(inputs[0], stream()).data<float>();
    const float* frequencies = in_rows(inputs[1], stream()).data<float>();
    allocate_or_reuse(outputs[0], inputs[0]);
    const auto& shape = inputs[0].shape();
    schedule(stream(), [=, to = outputs[0].data<float>(), batch = int64_t{shape[0]},
                        tokens = int64_t{shape[1]}, heads = int64_t{shape[2]},
                        width = int64_t{shape[3]}, half = inputs[1].size(),
                        offset = int64_t{offset_}, scale = scale_, backward = backward_] {
      const auto table = rope_table({frequencies, half}, scale, offset + tokens);
      parallel_for(batch * tokens, kTokensPerTask, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t at = i * heads * width;
          rope_token(from + at, to + at, table->at(offset + i % tokens), heads, width, table->half,
                     backward);
        }
      });
    });
  }

  std::vector<mx::array> vjp(const std::vector<mx::array>& primals,
                             const std::vector<mx::array>& cotangents,
                             const std::vector<int>& argnums,
                             const std::vector<mx::array>&) override {
    std::vector<mx::array> gradients;
    for (const int argument : argnums) {
      if (argument != 0) fail(ErrorKind::kInternal, "rope: no gradient for the frequencies");
      gradients.push_back(mx::array(primals[0].shape(), mx::float32,
                                    std::make_shared<Rope>(offset_, scale_, !backward_),
                                    {cotangents[0], primals[1]}));
    }
    return gradients;
  }

 private:
  int offset_;
  float scale_;
  bool backward_;
};

}  // namespace

mx::array rope(const mx::array& x, const mx::array& frequencies, int offset, float scale) {
  return mx::array(x.shape(), mx::float32, std::make_shared<Rope>(offset, scale, false),
                   {x, frequencies});
}

}  // namespace toolkit::tensor::cpu

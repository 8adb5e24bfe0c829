#include "core/tensor/cpu/weight_gradient.h"

#include "core/tensor/cpu/gemm.h"
#include "core/tensor/cpu/packed_rows.h"
#include "core/tensor/cpu/primitive.h"

namespace toolkit::tensor::cpu {

namespace {

/// {x, dy} -> {dy^T x}
class WeightGradient : public CpuPrimitive {
 public:
  const char* name() const override { return "WeightGradient"; }
  bool is_equivalent(const mx::Primitive&) const override { return true; }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    const float* x = in_rows(inputs[0], stream()).data<float>();
    const float* dy = in_rows(inputs[1], stream()).data<float>();
    allocate(outputs[0]);
    const int64_t out = outputs[0].shape(0), in = outputs[0].shape(1);
    schedule(stream(), [=, to = outputs[0].data<float>(),
                        rows = static_cast<int64_t>(inputs[0].size()) / in] {
      const PackedRows packed = PackedRows::of_columns(dy, out, out, rows);
      const GemmTerm term{.k = rows, .b = {.matrix = x, .stride = in}, .packed = packed.data()};
      gemm({&term, 1}, {.c = to, .stride = in, .m = out, .n = in});
    });
  }
};

}  // namespace

mx::array weight_gradient(const mx::array& x, const mx::array& dy) {
  return mx::array({dy.shape(-1), x.shape(-1)}, mx::float32, std::make_shared<WeightGradient>(),
                   {x, dy});
}

}  // namespace toolkit::tensor::cpu

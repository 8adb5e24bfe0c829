#include "core/tensor/cpu/rope_op.h"

#include <algorithm>
#include <span>

#include "core/base/error.h"
#include "core/tensor/cpu/primitive.h"
#include "core/tensor/cpu/rope_kernels.h"
#include "core/tensor/cpu/thread_pool.h"
#include "mlx/ops.h"

namespace toolkit::tensor::cpu {

namespace {

constexpr int64_t kTokensPerTask = 16;

/// The position of each of B * T tokens: given, or counted from `offset` in every row.
struct Positions {
  const int32_t* given;  // or null
  int64_t offset, tokens;

  int64_t of(int64_t token) const { return given ? given[token] : offset + token % tokens; }
  int64_t end(int64_t count) const {
    return given ? int64_t{*std::max_element(given, given + count)} + 1 : offset + tokens;
  }
};

/// {x, frequencies, [positions]} -> {rotated x}
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
    const int32_t* given =
        inputs.size() > 2 ? in_rows(inputs[2], stream()).data<int32_t>() : nullptr;
    allocate_or_reuse(outputs[0], inputs[0]);
    const auto& shape = inputs[0].shape();
    schedule(stream(), [=, to = outputs[0].data<float>(), batch = int64_t{shape[0]},
                        tokens = int64_t{shape[1]}, heads = int64_t{shape[2]},
                        width = int64_t{shape[3]}, half = inputs[1].size(),
                        offset = int64_t{offset_}, scale = scale_, backward = backward_] {
      const Positions positions{given, offset, tokens};
      const auto table = rope_table({frequencies, half}, scale, positions.end(batch * tokens));
      parallel_for(batch * tokens, kTokensPerTask, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t at = i * heads * width;
          rope_token(from + at, to + at, table->at(positions.of(i)), heads, width, table->half,
                     backward);
        }
      });
    });
  }

  std::vector<mx::array> vjp(const std::vector<mx::array>& primals,
                             const std::vector<mx::array>& cotangents,
                             const std::vector<int>& argnums,
                             const std::vector<mx::array>&) override {
    std::vector<mx::array> inputs = primals, gradients;
    inputs[0] = cotangents[0];
    for (const int argument : argnums) {
      if (argument != 0) fail(ErrorKind::kInternal, "rope: only x has a gradient");
      gradients.push_back(mx::array(primals[0].shape(), mx::float32,
                                    std::make_shared<Rope>(offset_, scale_, !backward_), inputs));
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

mx::array rope(const mx::array& x, const mx::array& frequencies, const mx::array& positions,
               float scale) {
  return mx::array(x.shape(), mx::float32, std::make_shared<Rope>(0, scale, false),
                   {x, frequencies, positions});
}

}  // namespace toolkit::tensor::cpu

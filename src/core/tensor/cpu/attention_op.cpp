#include "core/tensor/cpu/attention_op.h"

#include "core/base/error.h"
#include "core/tensor/cpu/attention_pass.h"
#include "core/tensor/cpu/primitive.h"
#include "mlx/ops.h"

namespace toolkit::tensor::cpu {

namespace {

bool same_shape(const AttentionShape& a, const AttentionShape& b) {
  return a.batch == b.batch && a.queries == b.queries && a.keys == b.keys && a.heads == b.heads &&
         a.kv_heads == b.kv_heads && a.width == b.width && a.scale == b.scale &&
         a.causal == b.causal && a.window == b.window && a.softcap == b.softcap;
}

// Heads must lie side by side; a slice of a longer cache needs no copy.
ConstRows token_rows(const mx::array& input, mx::Stream stream) {
  const auto& strides = input.strides();
  const int64_t width = input.shape(3);
  const bool direct = strides[3] == 1 && (strides[2] == width || input.shape(2) == 1);
  const mx::array rows = direct ? input : in_rows(input, stream);
  return {rows.data<float>(), rows.shape(1), rows.strides(0), rows.strides(1)};
}

MutableRows output_rows(mx::array& out) {
  return {out.data<float>(), out.shape(1), out.strides(0), out.strides(1)};
}

// The optional inputs from `at` on.
AttentionPacking packing_of(const std::vector<mx::array>& inputs, size_t at, mx::Stream stream) {
  const auto ids = [&](size_t i) {
    return inputs.size() > i ? in_rows(inputs[i], stream).data<int32_t>() : nullptr;
  };
  return {.segments = ids(at), .prefix = ids(at + 1)};
}

/// {q, k, v, out, logsumexp, dout, [segments, [prefix]]} -> {dq, dk, dv}
class AttentionBackward : public CpuPrimitive {
 public:
  explicit AttentionBackward(const AttentionShape& shape) : shape_(shape) {}
  const char* name() const override { return "AttentionBackward"; }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    const ConstRows q = token_rows(inputs[0], stream()), k = token_rows(inputs[1], stream());
    const ConstRows v = token_rows(inputs[2], stream()), out = token_rows(inputs[3], stream());
    const ConstRows dout = token_rows(inputs[5], stream());
    const AttentionPacking packing = packing_of(inputs, 6, stream());
    for (mx::array& output : outputs) allocate(output);
    schedule(stream(),
             [=, shape = shape_, logsumexp = inputs[4].data<float>(), dq = output_rows(outputs[0]),
              dk = output_rows(outputs[1]), dv = output_rows(outputs[2])] {
               attention_backward_pass(shape, packing, q, k, v, out, dout, logsumexp, dq, dk, dv);
             });
  }

 private:
  AttentionShape shape_;
};

/// {q, k, v, [segments, [prefix]]} -> {out, logsumexp (B, H, T)}
class Attention : public CpuPrimitive {
 public:
  explicit Attention(const AttentionShape& shape) : shape_(shape) {}
  const char* name() const override { return "Attention"; }
  bool is_equivalent(const mx::Primitive& other) const override {
    return same_shape(shape_, static_cast<const Attention&>(other).shape_);
  }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    const ConstRows q = token_rows(inputs[0], stream()), k = token_rows(inputs[1], stream());
    const ConstRows v = token_rows(inputs[2], stream());
    const AttentionPacking packing = packing_of(inputs, 3, stream());
    for (mx::array& output : outputs) allocate(output);
    schedule(stream(), [=, shape = shape_, out = output_rows(outputs[0]),
                        logsumexp = outputs[1].data<float>()] {
      attention_forward_pass(shape, packing, q, k, v, out, logsumexp);
    });
  }

  std::vector<mx::array> vjp(const std::vector<mx::array>& primals,
                             const std::vector<mx::array>& cotangents,
                             const std::vector<int>& argnums,
                             const std::vector<mx::array>& outputs) override {
    std::vector<mx::array> inputs = {primals[0], primals[1], primals[2],
                                     outputs[0], outputs[1], cotangents[0]};
    inputs.insert(inputs.end(), primals.begin() + 3, primals.end());
    const auto all =
        mx::array::make_arrays({primals[0].shape(), primals[1].shape(), primals[2].shape()},
                               {mx::float32, mx::float32, mx::float32},
                               std::make_shared<AttentionBackward>(shape_), inputs);
    std::vector<mx::array> gradients;
    for (const int argument : argnums) {
      if (argument > 2) fail(ErrorKind::kInternal, "attention: only q, k and v have gradients");
      gradients.push_back(all[static_cast<size_t>(argument)]);
    }
    return gradients;
  }

 private:
  AttentionShape shape_;
};

}  // namespace

mx::array attention(const mx::array& q, const mx::array& k, const mx::array& v,
                    const AttentionOptions& options) {
  const AttentionShape shape{.batch = q.shape(0),
                             .queries = q.shape(1),
                             .keys = k.shape(1),
                             .heads = q.shape(2),
                             .kv_heads = k.shape(2),
                             .width = q.shape(3),
                             .scale = options.scale,
                             .causal = options.causal,
                             .window = options.window,
                             .softcap = options.softcap};
  std::vector<mx::array> inputs = {q, k, v};
  if (options.segments) inputs.push_back(*options.segments);
  if (options.prefix) inputs.push_back(*options.prefix);
  const mx::Shape per_query = {q.shape(0), q.shape(2), q.shape(1)};
  return mx::array::make_arrays({q.shape(), per_query}, {mx::float32, mx::float32},
                                std::make_shared<Attention>(shape), inputs)[0];
}

}  // namespace toolkit::tensor::cpu

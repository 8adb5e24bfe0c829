#include "core/tensor/cpu/cross_entropy_primitive.h"

#include <optional>

#include "core/base/error.h"
#include "core/tensor/cpu/cross_entropy_kernel.h"
#include "core/tensor/cpu/head_gradient_kernel.h"
#include "core/tensor/cpu/linear_layout.h"
#include "core/tensor/cpu/primitive.h"
#include "core/tensor/cpu/weak_arrays.h"
#include "mlx/allocator.h"
#include "mlx/backend/cpu/encoder.h"
#include "mlx/ops.h"
#include "mlx/primitives.h"

namespace toolkit::tensor::cpu {

namespace {

std::vector<mx::array> make_cross_entropy(mx::Stream stream, const std::vector<mx::array>& inputs,
                                          const MapLayout& head,
                                          const CrossEntropySettings& settings, bool with_gradient);

/// {hidden, targets, normalizers, weights, head} -> {derivative of the weighted losses by head}
class HeadGradient : public CpuPrimitive {
 public:
  explicit HeadGradient(float logit_scale) : logit_scale_(logit_scale) {}
  const char* name() const override { return "HeadGradient"; }
  bool is_equivalent(const mx::Primitive& other) const override {
    return static_cast<const HeadGradient&>(other).logit_scale_ == logit_scale_;
  }

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    const auto floats = [&](size_t i) { return in_rows(inputs[i], stream()).data<float>(); };
    const HeadGradientProblem problem{.hidden = floats(0),
                                      .targets = in_rows(inputs[1], stream()).data<int32_t>(),
                                      .normalizers = floats(2),
                                      .weights = floats(3),
                                      .head = floats(4),
                                      .tokens = inputs[0].shape(0),
                                      .width = inputs[0].shape(1),
                                      .vocabulary = inputs[4].shape(0),
                                      .logit_scale = logit_scale_};
    allocate(outputs[0]);
    schedule(stream(), [problem, out = outputs[0].data<float>()] { head_gradient(problem, out); });
  }

 private:
  float logit_scale_;
};

/// Inputs: hidden, targets, then the head's arrays. Outputs: losses, and with a gradient their
/// derivatives by hidden and the normalizers of the logits.
class LinearCrossEntropy : public mx::Primitive {
 public:
  LinearCrossEntropy(mx::Stream stream, const MapLayout& head, const CrossEntropySettings& settings)
      : Primitive(stream), head_(head), settings_(settings) {}

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    for (mx::array& out : outputs) out.set_data(mx::allocator::malloc(out.nbytes()));
    mx::cpu::get_command_encoder(stream()).dispatch([head = head_, settings = settings_,
                                                     in = weak_arrays(inputs),
                                                     out = weak_arrays(outputs)]() mutable {
      const Contiguous hidden(in[0]);
      const WeightView weight = weight_view(head, in);
      std::optional<ScaleBuffer> scales;
      if (!head.int8) scales.emplace(weight);
      cross_entropy(
          {.hidden = hidden.data(),
           .targets = in[1].data<int32_t>(),
           .tokens = in[0].shape(0),
           .width = in[0].shape(1),
           .head = scales ? scales->factor(RightFactor::Form::kWeightTransposed)
                          : RightFactor{.weight = weight},
           .int8 = head.int8.get(),
           .bf16 = head.bf16,
           .bias = head.bias >= 0 ? in[static_cast<size_t>(head.bias)].data<float>() : nullptr,
           .softcap = settings.softcap,
           .logit_scale = settings.logit_scale,
           .label_smoothing = settings.label_smoothing},
          out[0].data<float>(), out.size() > 1 ? out[1].data<float>() : nullptr,
          out.size() > 1 ? out[2].data<float>() : nullptr);
    });
  }
  void eval_gpu(const std::vector<mx::array>&, std::vector<mx::array>&) override {
    fail(ErrorKind::kInternal, "cross entropy: the CPU kernel was sent to a GPU");
  }
  const char* name() const override { return "LinearCrossEntropy"; }

  std::vector<mx::array> vjp(const std::vector<mx::array>& primals,
                             const std::vector<mx::array>& cotangents,
                             const std::vector<int>& wanted,
                             const std::vector<mx::array>& outputs) override {
    const std::vector<mx::array> made =
        outputs.size() > 1 ? outputs
                           : make_cross_entropy(stream(), primals, head_, settings_, true);
    std::vector<mx::array> result;
    for (int input : wanted) {
      if (input == 0) {
        result.push_back(mx::multiply(made[1], mx::expand_dims(cotangents[0], 1)));
      } else if (input == head_.weight && head_.scales < 0 && settings_.softcap == 0.0f &&
                 settings_.label_smoothing == 0.0f) {
        const mx::array& weight = primals[static_cast<size_t>(input)];
        result.push_back(mx::array(weight.shape(), mx::float32,
                                   std::make_shared<HeadGradient>(settings_.logit_scale),
                                   {primals[0], primals[1], made[2], cotangents[0], weight}));
      } else {
        fail(ErrorKind::kUnsupported,
             "cross entropy: only the hidden rows and a dense head have a gradient here, without "
             "softcap and label smoothing");
      }
    }
    return result;
  }

 private:
  MapLayout head_;
  CrossEntropySettings settings_;
};

std::vector<mx::array> make_cross_entropy(mx::Stream stream, const std::vector<mx::array>& inputs,
                                          const MapLayout& head,
                                          const CrossEntropySettings& settings,
                                          bool with_gradient) {
  std::vector<mx::Shape> shapes = {{inputs[0].shape(0)}};
  if (with_gradient) shapes.insert(shapes.end(), {inputs[0].shape(), shapes[0]});
  const std::vector<mx::Dtype> types(shapes.size(), mx::float32);
  return mx::array::make_arrays(
      shapes, types, std::make_shared<LinearCrossEntropy>(stream, head, settings), inputs);
}

}  // namespace

mx::array cross_entropy_primitive(const mx::array& hidden, const LinearMap& head,
                                  const mx::array& targets, const CrossEntropySettings& settings) {
  std::vector<mx::array> inputs = {hidden, targets};
  const MapLayout layout = add_map(head, inputs);
  return make_cross_entropy(mx::default_stream(mx::Device::cpu), inputs, layout, settings,
                            hidden.is_tracer() || head.weight.is_tracer())[0];
}

}  // namespace toolkit::tensor::cpu

#include "core/tensor/optimizer_update.h"

#include "core/base/error.h"
#include "core/tensor/backend.h"
#include "core/tensor/plain/optimizer.h"
#include "core/tensor/shapes.h"
#include "mlx/ops.h"
#ifdef TOOLKIT_CPU_KERNELS
#include "core/tensor/cpu/optimizer_op.h"
#endif

namespace toolkit::tensor {

namespace {

// Shapes of a rule's state for one parameter, and whether the first of them are 8-bit codes.
struct StateForm {
  std::vector<mx::Shape> shapes;
  bool codes = false;
};

StateForm state_form(const UpdateRule& rule, const mx::array& parameter) {
  const mx::Shape& shape = parameter.shape();
  if (std::holds_alternative<Adamw8bitRule>(rule)) {
    const auto blocks = static_cast<int>((parameter.size() + kMomentBlock - 1) / kMomentBlock);
    return {{shape, {blocks}, shape}, true};
  }
  if (std::holds_alternative<AdamwRule>(rule)) return {{shape, shape}};
  if (const auto* sgd = std::get_if<SgdRule>(&rule); sgd && sgd->momentum == 0.0f) return {};
  return {{shape}};
}

// Throws Error(kInternal); true if all of it is f32 but for 8-bit codes.
bool check(const TensorUpdate& tensor, const UpdateRule& rule, size_t index) {
  const StateForm form = state_form(rule, tensor.parameter);
  if (tensor.state.size() != form.shapes.size())
    fail(ErrorKind::kInternal, "optimizer_update: parameter {} has {} state arrays, not {}", index,
         tensor.state.size(), form.shapes.size());
  if (tensor.gradient.shape() != tensor.parameter.shape())
    fail(ErrorKind::kInternal, "optimizer_update: parameter {} is {}, but its gradient is {}",
         index, shape_text(tensor.parameter), shape_text(tensor.gradient));
  bool floats = all_float32({&tensor.parameter, &tensor.gradient});
  for (size_t i = 0; i < form.shapes.size(); ++i) {
    if (tensor.state[i].shape() != form.shapes[i])
      fail(ErrorKind::kInternal, "optimizer_update: parameter {} is {}, but its state {} is {}",
           index, shape_text(tensor.parameter), i, shape_text(tensor.state[i]));
    floats = floats && (form.codes && i == 0 ? tensor.state[i].dtype() == mx::int8
                                             : all_float32({&tensor.state[i]}));
  }
  return floats;
}

bool float_lists(std::span<const mx::array> a, std::span<const mx::array> b = {}) {
  bool floats = !a.empty();
  for (const auto list : {a, b})
    for (const mx::array& array : list) floats = floats && all_float32({&array});
  return floats;
}

}  // namespace

mx::array gradient_norm(std::span<const mx::array> gradients, float scale) {
#ifdef TOOLKIT_CPU_KERNELS
  if (use_cpu_kernels() && float_lists(gradients)) return cpu::gradient_norm(gradients, scale);
#endif
  return plain::gradient_norm(gradients, scale);
}

mx::array gradient_factor(const GradientScaling& scaling) {
  const mx::array scale(scaling.scale);
  if (scaling.max_norm <= 0.0f) return scale;
  const mx::array share =
      mx::divide(mx::array(scaling.max_norm), mx::add(scaling.norm, mx::array(1e-6f)));
  return mx::multiply(scale, mx::minimum(mx::array(1.0f), share));
}

std::vector<UpdatedTensor> optimizer_update(std::vector<TensorUpdate> tensors,
                                            const UpdateRule& rule,
                                            const GradientScaling& scaling) {
  bool floats = !tensors.empty();
  for (size_t i = 0; i < tensors.size(); ++i) floats = check(tensors[i], rule, i) && floats;
#ifdef TOOLKIT_CPU_KERNELS
  if (use_cpu_kernels() && floats) return cpu::optimizer_update(std::move(tensors), rule, scaling);
#endif
  return plain::optimizer_update(tensors, rule, scaling);
}

std::vector<mx::array> add_gradients(std::vector<mx::array> sums,
                                     std::span<const mx::array> gradients) {
  if (sums.size() != gradients.size())
    fail(ErrorKind::kInternal, "add_gradients: {} sums, {} gradients", sums.size(),
         gradients.size());
  for (size_t i = 0; i < sums.size(); ++i)
    if (sums[i].shape() != gradients[i].shape())
      fail(ErrorKind::kInternal, "add_gradients: sum {} is {}, its gradient {}", i,
           shape_text(sums[i]), shape_text(gradients[i]));
#ifdef TOOLKIT_CPU_KERNELS
  if (use_cpu_kernels() && float_lists(sums, gradients))
    return cpu::add_gradients(std::move(sums), gradients);
#endif
  return plain::add_gradients(sums, gradients);
}

}  // namespace toolkit::tensor

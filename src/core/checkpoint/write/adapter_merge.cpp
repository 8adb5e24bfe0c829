#include "core/checkpoint/write/adapter_merge.h"

#include "core/base/error.h"
#include "core/checkpoint/utf8.h"
#include "core/checkpoint/weight_form.h"
#include "mlx/linalg.h"
#include "mlx/ops.h"

namespace toolkit::checkpoint {

namespace {

std::string shape_text(const mx::Shape& shape) {
  std::string text;
  for (const auto size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "(" + text + ")";
}

/// The shape a tensor must have in a module of this form; -1 is any size.
mx::Shape expected_shape(const std::string& leaf, const WeightForm& form) {
  if (leaf == ".weight") return form.shape;
  const int out = form.shape.front(), in = form.shape.back();
  if (leaf == ".lora_a") return {in, -1};
  if (leaf == ".lora_b") return {-1, out};
  return {out};  // m, bias
}

bool fits(const mx::Shape& shape, const mx::Shape& expected) {
  if (shape.size() != expected.size()) return false;
  for (size_t i = 0; i < shape.size(); ++i)
    if (expected[i] >= 0 && shape[i] != expected[i]) return false;
  return true;
}

}  // namespace

AdapterMerge::AdapterMerge(Adapter adapter, const ModelFiles& model)
    : adapter_(std::move(adapter)) {
  std::string problems;
  for (const auto& [name, tensor] : adapter_.tensors) {
    const size_t dot = name.rfind('.');
    const std::string module = name.substr(0, dot), leaf = name.substr(dot);
    const std::string shown = "\n  " + printable(name, 200);
    if (!model.has(module)) {
      problems += shown + ": the model has no such layer";
      continue;
    }
    const WeightForm form = form_of(model, module);
    const mx::Shape expected = expected_shape(leaf, form);
    if (!fits(tensor.shape(), expected))
      problems += fmt::format("{} is {}, but the model's weight is {}", shown,
                              shape_text(tensor.shape()), shape_text(form.shape));
    modules_.insert(module);
  }
  if (!problems.empty())
    fail(ErrorKind::kUserInput, "the adapter (trained on {}) does not fit {}:{}",
         adapter_.base_model.empty() ? "an unnamed model" : adapter_.base_model,
         model.path().string(), problems);
}

const mx::array* AdapterMerge::find(const std::string& module, const char* leaf) const {
  const auto found = adapter_.tensors.find(module + leaf);
  return found == adapter_.tensors.end() ? nullptr : &found->second;
}

mx::array AdapterMerge::merged(const std::string& module, const mx::array& rows,
                               int first_row) const {
  const int last = first_row + rows.shape(0);
  if (const mx::array* own = find(module, ".weight")) {
    mx::Shape begin(own->ndim(), 0), end = own->shape();
    begin[0] = first_row;
    end[0] = last;
    return mx::astype(mx::slice(*own, begin, end), mx::float32);
  }
  const mx::array *a = find(module, ".lora_a"), *b = find(module, ".lora_b");
  if (!a || !b) return rows;
  const mx::array outputs = mx::slice(*b, {0, first_row}, {b->shape(0), last});
  const mx::array product = mx::matmul(mx::transpose(mx::astype(outputs, mx::float32)),
                                       mx::transpose(mx::astype(*a, mx::float32)));
  const mx::array sum = mx::add(rows, mx::multiply(product, mx::array(adapter_.scale_of(module))));
  const mx::array* magnitude = find(module, ".m");
  if (!magnitude) return sum;
  const mx::array norms = mx::linalg::norm(sum, /*axis=*/1, /*keepdims=*/true);
  const mx::array wanted = mx::slice(*magnitude, {first_row}, {last});
  return mx::multiply(sum, mx::divide(mx::expand_dims(mx::astype(wanted, mx::float32), 1), norms));
}

std::optional<mx::array> AdapterMerge::bias(const std::string& module,
                                            std::optional<mx::array> bias) const {
  const mx::array* own = find(module, ".bias");
  return own ? std::optional(*own) : std::move(bias);
}

}  // namespace toolkit::checkpoint

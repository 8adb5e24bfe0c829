#include "core/nn/linear.h"

#include <algorithm>

#include "core/tensor/embedding.h"
#include "core/tensor/weight_rows.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::nn {

tensor::LinearTerms Linear::terms() const {
  return {.weight = &weight,
          .prepared = prepared.get(),
          .bias = bias ? &*bias : nullptr,
          .lora = lora ? &*lora : nullptr,
          .output_scale = dora && dora->scale ? &*dora->scale : nullptr,
          .dora = learns_magnitude()
                      ? std::optional(tensor::DoraTerms{&dora->magnitude, &dora->squared_norms})
                      : std::nullopt};
}

mx::array Linear::operator()(const mx::array& x) const {
  return apply_together(x, {this})[0];
}

mx::array squared_row_norms(const tensor::Weight& weight) {
  constexpr int kRows = 256;
  std::vector<mx::array> parts;
  for (int begin = 0; begin < weight.rows(); begin += kRows) {
    const int end = std::min(weight.rows(), begin + kRows);
    const tensor::Weight part = tensor::weight_rows(weight, begin, end);
    parts.push_back(mx::sum(mx::square(tensor::dequantized(part, mx::float32)), 1));
    mx::eval(parts.back());
  }
  mx::array norms = mx::concatenate(parts, 0);
  mx::eval(norms);
  return norms;
}

std::vector<mx::array> apply_together(const mx::array& x,
                                      std::initializer_list<const Linear*> layers) {
  std::vector<tensor::LinearTerms> maps;
  for (const Linear* layer : layers) maps.push_back(layer->terms());
  return tensor::linear_group(x, maps, (*layers.begin())->compute);
}

mx::array Embedding::operator()(const mx::array& ids) const {
  return tensor::embedding(table, ids, tensor::activation_type(compute));
}

}  // namespace toolkit::nn

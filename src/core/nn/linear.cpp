#include "core/nn/linear.h"

#include <algorithm>
#include <deque>

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
          .output_scale = dora && dora->scale ? &*dora->scale : nullptr};
}

mx::array Linear::operator()(const mx::array& x) const {
  return apply_together(x, {this})[0];
}

mx::array Dora::output_scale(const Linear& layer) const {
  const tensor::LoraBranch& lora = *layer.lora;
  const mx::array a = mx::stop_gradient(lora.a), b = mx::stop_gradient(lora.b);
  // ||w + s d||^2 = ||w||^2 + 2 s w.d + s^2 ||d||^2 for every row w and its change d = (a b)^T.
  const mx::array directions =
      tensor::linear(mx::transpose(a), {.weight = &layer.weight});  // (r, out): (W a)^T
  const mx::array gram = mx::matmul(mx::transpose(a), a);
  const float s = lora.scale;
  const mx::array both = mx::add(mx::multiply(directions, mx::array(2.0f * s)),
                                 mx::multiply(mx::matmul(gram, b), mx::array(s * s)));
  const mx::array squares = mx::add(squared_norms, mx::sum(mx::multiply(b, both), 0));
  // Rounding may leave a row of zeros below zero; its outputs are zeros whatever the factor.
  const mx::array norm = mx::sqrt(mx::maximum(squares, mx::array(1e-30f)));
  return mx::divide(magnitude, mx::stop_gradient(norm));
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
  std::deque<mx::array> scales;
  for (const Linear* layer : layers) {
    maps.push_back(layer->terms());
    if (!layer->complete_in_terms())
      maps.back().output_scale = &scales.emplace_back(layer->dora->output_scale(*layer));
  }
  return tensor::linear_group(x, maps, (*layers.begin())->compute);
}

mx::array Embedding::operator()(const mx::array& ids) const {
  return tensor::embedding(table, ids, tensor::activation_type(compute));
}

}  // namespace toolkit::nn

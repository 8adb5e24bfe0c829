#include "core/nn/linear.h"

#include "core/tensor/embedding.h"
#include "mlx/ops.h"

namespace toolkit::nn {

tensor::LinearTerms Linear::terms() const {
  return {.weight = &weight,
          .prepared = prepared.get(),
          .bias = bias ? &*bias : nullptr,
          .lora = lora ? &*lora : nullptr};
}

mx::array Linear::operator()(const mx::array& x) const {
  return tensor::linear(x, terms(), compute);
}

std::vector<mx::array> apply_together(const mx::array& x,
                                      std::initializer_list<const Linear*> layers) {
  std::vector<tensor::LinearTerms> maps;
  for (const Linear* layer : layers) maps.push_back(layer->terms());
  return tensor::linear_group(x, maps, (*layers.begin())->compute);
}

mx::array Embedding::operator()(const mx::array& ids) const {
  return tensor::embedding(table, ids, mx::float32);
}

}  // namespace toolkit::nn

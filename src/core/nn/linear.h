#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor/linear.h"

namespace toolkit::nn {

/// A linear layer. Quantizing or adapting it changes a member; models never mention either.
struct Linear {
  tensor::Weight weight;
  std::optional<mx::array> bias;           // (out)
  std::optional<tensor::LoraBranch> lora;  // set by the fine-tuning code
  std::shared_ptr<const tensor::PreparedWeight> prepared;
  tensor::Compute compute = tensor::Compute::kFloat32;

  tensor::LinearTerms terms() const;
  mx::array operator()(const mx::array& x) const;
};

/// Several layers on one input (q/k/v, gate/up): see tensor::linear_group.
std::vector<mx::array> apply_together(const mx::array& x,
                                      std::initializer_list<const Linear*> layers);

struct Embedding {
  tensor::Weight table;                              // (vocabulary, C)
  mx::array operator()(const mx::array& ids) const;  // (B, T) -> (B, T, C) f32
};

}  // namespace toolkit::nn

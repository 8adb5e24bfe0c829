#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor/linear.h"

namespace toolkit::nn {

/// Weight-decomposed low-rank adaptation: the layer's weight is split into a length per output,
/// which learns by itself, and a direction, to which the LoRA branch is added:
///   y = m / ||W + s (a b)^T||_row (W x + s (x a) b) + bias
/// The norm counts as a constant for gradients. (Liu et al. 2024, arXiv:2402.09353, 4.3)
struct Dora {
  mx::array magnitude;      // m (out) f32
  mx::array squared_norms;  // (out) f32, of the rows of W
  /// m / norm of a layer that does not learn, computed once; not there while it learns.
  std::optional<mx::array> scale = std::nullopt;
};

/// Sums of squares of the rows of a weight, (out) f32, evaluated; a packed weight is expanded a few
/// rows at a time.
mx::array squared_row_norms(const tensor::Weight& weight);

/// A linear layer. Quantizing or adapting it changes a member; models never mention either.
struct Linear {
  tensor::Weight weight;
  std::optional<mx::array> bias;           // (out)
  std::optional<tensor::LoraBranch> lora;  // set by the fine-tuning code
  std::optional<Dora> dora;                // beside a branch
  std::shared_ptr<const tensor::PreparedWeight> prepared;
  tensor::Compute compute = tensor::Compute::kFloat32;

  tensor::LinearTerms terms() const;
  /// Whether a Dora changes with every step, so that its scale is computed anew each time.
  bool learns_magnitude() const { return dora && !dora->scale; }
  mx::array operator()(const mx::array& x) const;
};

/// Several layers on one input (q/k/v, gate/up): see tensor::linear_group.
std::vector<mx::array> apply_together(const mx::array& x,
                                      std::initializer_list<const Linear*> layers);

struct Embedding {
  tensor::Weight table;  // (vocabulary, C)
  tensor::Compute compute = tensor::Compute::kFloat32;
  /// (B, T) -> (B, T, C) of tensor::activation_type(compute).
  mx::array operator()(const mx::array& ids) const;
};

}  // namespace toolkit::nn

#pragma once

#include <span>
#include <utility>
#include <vector>

#include "core/tensor/attention.h"
#include "core/tensor/cross_entropy.h"
#include "core/tensor/embedding.h"
#include "core/tensor/gated_activation.h"
#include "core/tensor/linear.h"

/// Every op as a graph of MLX's own ops: what Metal and CUDA run, and what our kernels are tested
/// against. Signatures and meaning as in the public headers.
namespace toolkit::tensor::plain {

/// Whether products with a packed weight are made by expanded_product(): on CUDA from two rows on,
/// where MLX would compile a kernel of its own at run time, some twenty seconds for each type and
/// size.
bool expands_packed(const mx::array& x);

/// x W^T on the weight expanded for this one product, and again for its gradient, so that nothing
/// expanded is kept. The weight's scales are of the type of x.
mx::array expanded_product(const mx::array& x, const Weight& packed);

std::vector<mx::array> linear_group(const mx::array& x, std::span<const LinearTerms> maps);
mx::array rms_norm(const mx::array& x, const mx::array& weight, float eps);
mx::array rope(const mx::array& x, const mx::array& frequencies, int offset, float scale);
mx::array rope(const mx::array& x, const mx::array& frequencies, const mx::array& positions,
               float scale);
mx::array attention(const mx::array& q, const mx::array& k, const mx::array& v,
                    const AttentionOptions& options);
mx::array gated_activation(const mx::array& gate, const mx::array& up, Gate kind);
mx::array embedding(const Weight& table, const mx::array& ids, mx::Dtype dtype);
mx::array scale_columns(const mx::array& x, const mx::array& scale, const mx::array* bias);
mx::array dropout(const mx::array& x, float rate, uint64_t key);
mx::array gather_rows(const mx::array& x, const mx::array& rows);
mx::array linear_cross_entropy(const mx::array& hidden, const LinearTerms& head,
                               const mx::array& targets, const CrossEntropyOptions& options);

}  // namespace toolkit::tensor::plain

#pragma once

#include "core/tensor/decode_rows.h"

namespace toolkit::tensor::cpu {

/// See tensor::decode_rows.
void decode_rows(const DecodeLayer& layer, const DecodeSettings& settings,
                 const KvBlockShape& blocks, int index, std::span<const DecodeRow> rows,
                 std::span<float> x);
void decode_head_rows(const mx::array& norm, const LinearTerms& head, float norm_eps,
                      std::span<const RowBranch> branches, std::span<const float> x,
                      std::span<float> logits);

}  // namespace toolkit::tensor::cpu

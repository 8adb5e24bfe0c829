#pragma once

#include <cstdint>
#include <span>

#include "core/tensor/decode_layer.h"
#include "core/tensor/kv_block.h"

/// Tokens of several sequences at once on the CPU, outside MLX's graph, each with its own position,
/// keys and values and LoRA branches; weights are read once for all of them. The result of a token
/// does not depend on which others there are, bit for bit. Where `can_decode` is false use the ops.
namespace toolkit::tensor {

/// What `prepare` made and, beside it, the weight in the order that decode_rows reads fastest, as
/// large as the weight itself; `prepared` as it was where there is none such. The weight is
/// evaluated and frozen.
std::shared_ptr<const PreparedWeight> prepare_for_rows(
    const Weight& weight, const std::shared_ptr<const PreparedWeight>& prepared);

/// What an adapter does to one linear map; see LinearTerms.
struct RowBranch {
  const LoraBranch* lora = nullptr;
  const mx::array* output_scale = nullptr;
};

/// Of one layer's maps.
struct LayerBranches {
  RowBranch q, k, v, o, gate, up, down;
};

/// One token.
struct DecodeRow {
  int position;
  uint8_t* const* blocks;                   // of its sequence; see KvBlockShape
  const LayerBranches* branches = nullptr;  // null: none
};

/// One layer for all rows: x += attention(norm(x)), x += mlp(norm(x)).
///   layer    without LoRA branches of its own
///   index    of the layer, in the blocks
///   x        (rows, C), the residual streams, changed in place
/// Writes the rows' keys and values into their blocks, then reads those of all their tokens so far.
/// Tokens of one sequence stand in their order.
void decode_rows(const DecodeLayer& layer, const DecodeSettings& settings,
                 const KvBlockShape& blocks, int index, std::span<const DecodeRow> rows,
                 std::span<float> x);

/// Final norm and head: x (rows, C) -> logits (rows, V). `branches` holds one for each row.
void decode_head_rows(const mx::array& norm, const LinearTerms& head, float norm_eps,
                      std::span<const RowBranch> branches, std::span<const float> x,
                      std::span<float> logits);

}  // namespace toolkit::tensor

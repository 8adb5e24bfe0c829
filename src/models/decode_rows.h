#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "core/tensor/decode_rows.h"
#include "models/decoder.h"

namespace toolkit::models {

/// The branches of one adapter, where the layers look for them.
struct BranchTable {
  std::vector<tensor::LayerBranches> layers;
  tensor::RowBranch head;
};

/// Branches by the layer they belong to (Decoder::linears) as a table.
BranchTable branch_table(const Decoder& model,
                         const std::map<const nn::Linear*, tensor::RowBranch>& branches);

/// How the model's keys and values lie in blocks.
tensor::KvBlockShape kv_block_shape(const DecoderConfig& config, bool int8 = false);

/// Keeps the linear layers' weights in the order that decode_rows reads fastest, too, where there
/// is one. Returns how many bytes that took.
int64_t prepare_for_rows(Decoder& model);
/// How many bytes it would take at most.
int64_t rows_bytes(Decoder& model);

/// A token of one of several sequences.
struct TokenRow {
  int32_t id;
  int position;
  uint8_t* const* blocks;                 // of its sequence; see tensor::KvBlockShape
  const BranchTable* branches = nullptr;  // of its adapter
  bool wants_logits = false;
};

/// Whether `decode_rows` can run this model here: with our CPU kernels, no adapter on.
bool can_decode_rows(const Decoder& model);

/// Tokens of several sequences in one pass, outside MLX's graph; see tensor::decode_rows. Tokens of
/// one sequence stand in their order. `logits` holds V floats for each row that wants them.
void decode_rows(const Decoder& model, const tensor::KvBlockShape& blocks,
                 std::span<const TokenRow> rows, std::span<float> logits);

}  // namespace toolkit::models

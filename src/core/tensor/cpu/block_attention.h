#pragma once

#include <cstdint>
#include <span>

#include "core/tensor/kv_block.h"

namespace toolkit::tensor::cpu {

/// What all rows of one layer share.
struct BlockAttention {
  KvBlockShape blocks;
  int64_t layer_offset;  // of the layer in a block, in bytes
  int64_t heads;
  float scale;    // of q k^T
  float softcap;  // see AttentionOptions
  int window;
};

/// One token: q and out are (H, D); it sees the keys of its sequence up to its own position.
struct AttentionRow {
  const float* q;
  float* out;
  int position;
  uint8_t* const* blocks;  // of its sequence: block i holds tokens [32 i, 32 (i + 1))
};

/// Attention of tokens over blocks of keys and values, on all threads. Neighbours of one sequence
/// are computed together; the result of a token does not depend on that, bit for bit.
void attend_blocks(const BlockAttention& shape, std::span<const AttentionRow> rows);

/// Writes the key and value (Hkv, D) of one token into its block.
void store_in_block(const BlockAttention& shape, int position, uint8_t* const* blocks,
                    const float* key, const float* value);

}  // namespace toolkit::tensor::cpu

#pragma once

#include <cstdint>
#include <vector>

namespace toolkit::tensor::cpu {

/// What does not depend on the data of one attention call. Strides are counted in floats; the last
/// dimension is contiguous.
struct AttentionShape {
  int64_t batch, queries, keys, heads, kv_heads, width;
  float scale;
  bool causal;
  int64_t window;  // 0: none
  float softcap;   // 0: none

  int64_t group() const { return heads / kv_heads; }
  int64_t padded_width() const { return (width + 15) / 16 * 16; }  // whole vectors on every target
};

/// Queries and keys that see each other: one packed segment, or the whole row of a batch. Query i
/// stands at key position i + keys - queries of the run.
struct AttentionRun {
  int64_t query_row, key_row;  // b * T + t of the first query, b * S + s of the first own key
  int64_t queries, keys;
  bool padding;  // sees nothing; results are zero
  // The first `prefix` of the keys are those from this row on, shared by several runs; the others,
  // from `key_row` on, are the run's own.
  int64_t prefix_row = 0, prefix = 0;

  int64_t own_keys() const { return keys - prefix; }
  int64_t offset() const { return keys - queries; }
  /// Keys [first, last) that query i may see.
  int64_t first_key(const AttentionShape& shape, int64_t i) const {
    const int64_t begin = shape.window > 0 ? i + offset() - shape.window + 1 : 0;
    return begin > 0 ? begin : 0;
  }
  int64_t last_key(const AttentionShape& shape, int64_t i) const {
    return shape.causal ? i + offset() + 1 : keys;
  }
};

/// How rows are packed; see AttentionOptions.
struct AttentionPacking {
  const int32_t* segments = nullptr;  // B * T ids, -1 padding; null: every row is one run
  const int32_t* prefix = nullptr;    // B lengths; null: nothing is shared
};

std::vector<AttentionRun> attention_runs(const AttentionShape& shape,
                                         const AttentionPacking& packing);

}  // namespace toolkit::tensor::cpu

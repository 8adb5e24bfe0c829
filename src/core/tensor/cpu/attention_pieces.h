#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/tensor/cpu/attention_kernels.h"
#include "core/tensor/cpu/attention_pass.h"

namespace toolkit::tensor::cpu {

/// A piece of attention for one thread.
struct AttentionPiece {
  const AttentionRun* run;
  int64_t index;  // of the run
  int64_t head;   // kv head, or query head where heads are split
  int64_t begin;  // first query (forward)
  int64_t cost;
};

/// The order that leaves threads least apart at the end.
inline void longest_first(std::vector<AttentionPiece>& pieces) {
  std::stable_sort(
      pieces.begin(), pieces.end(),
      [](const AttentionPiece& a, const AttentionPiece& b) { return a.cost > b.cost; });
}

/// Rows can be used where they lie if they are whole vectors wide and do not all fall on the same
/// few cache sets, as rows a multiple of 4 KiB apart do.
inline bool usable_in_place(const AttentionShape& shape, int64_t token_stride) {
  return shape.width == shape.padded_width() && token_stride % 1024 != 0;
}

/// The keys (or values) of one head of a run as rows of padded width: those shared with other runs,
/// then its own.
inline void gather_keys(const AttentionShape& shape, const AttentionRun& run, ConstRows from,
                        int64_t head, float* to) {
  const int64_t width = shape.width, padded = shape.padded_width(), column = head * width;
  pack_rows(from.at(run.prefix_row) + column, from.token_stride, run.prefix, width, padded, to);
  pack_rows(from.at(run.key_row) + column, from.token_stride, run.own_keys(), width, padded,
            to + run.prefix * padded);
}

inline void zero_rows(MutableRows rows, int64_t first, int64_t count, int64_t width) {
  for (int64_t i = 0; i < count; ++i)
    std::memset(rows.at(first + i), 0, static_cast<size_t>(width) * sizeof(float));
}

inline void copy_out(const float* from, int64_t padded, int64_t rows, int64_t width, float* to,
                     int64_t stride) {
  for (int64_t i = 0; i < rows; ++i)
    std::memcpy(to + i * stride, from + i * padded, static_cast<size_t>(width) * sizeof(float));
}

}  // namespace toolkit::tensor::cpu

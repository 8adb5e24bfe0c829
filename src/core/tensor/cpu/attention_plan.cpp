#include "core/tensor/cpu/attention_plan.h"

#include <algorithm>

namespace toolkit::tensor::cpu {

std::vector<AttentionRun> attention_runs(const AttentionShape& shape,
                                         const AttentionPacking& packing) {
  std::vector<AttentionRun> runs;
  for (int64_t row = 0; row < shape.batch; ++row) {
    if (!packing.segments) {
      runs.push_back({row * shape.queries, row * shape.keys, shape.queries, shape.keys, false});
      continue;
    }
    const int32_t* ids = packing.segments + row * shape.queries;
    const int64_t shared = packing.prefix ? std::max(0, packing.prefix[row]) : 0;
    for (int64_t begin = 0; begin < shape.queries;) {
      int64_t end = begin + 1;
      while (end < shape.queries && ids[end] == ids[begin]) ++end;
      const int64_t at = row * shape.queries + begin, queries = end - begin;
      const bool padding = ids[begin] < 0;
      const int64_t prefix = padding ? 0 : std::min(shared, begin);
      runs.push_back({at, at, queries, prefix + queries, padding, row * shape.keys, prefix});
      begin = end;
    }
  }
  return runs;
}

}  // namespace toolkit::tensor::cpu

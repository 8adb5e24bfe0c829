#include "core/tensor/cpu/attention_plan.h"

namespace toolkit::tensor::cpu {

std::vector<AttentionRun> attention_runs(const AttentionShape& shape, const int32_t* segments) {
  std::vector<AttentionRun> runs;
  for (int64_t row = 0; row < shape.batch; ++row) {
    if (!segments) {
      runs.push_back({row * shape.queries, row * shape.keys, shape.queries, shape.keys, false});
      continue;
    }
    const int32_t* ids = segments + row * shape.queries;
    for (int64_t begin = 0; begin < shape.queries;) {
      int64_t end = begin + 1;
      while (end < shape.queries && ids[end] == ids[begin]) ++end;
      const int64_t at = row * shape.queries + begin;
      runs.push_back({at, at, end - begin, end - begin, ids[begin] < 0});
      begin = end;
    }
  }
  return runs;
}

}  // namespace toolkit::tensor::cpu

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/tensor/cpu/attention_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/attention_backward_kernel.cpp"
#include "hwy/foreach_target.h"

#include "core/tensor/cpu/small_gemm-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu {
namespace HWY_NAMESPACE {

constexpr int64_t kQueryRows =
    96;  // two blocks of scores of this many rows stay in the second-level cache

constexpr float kLog2e = 1.44269504088896341f;

// One row of scores (from q k^T) and dP (from dout v^T) become P and dS = P (dP - delta) scale;
// both are zero outside [first, last).
HWY_INLINE void backward_row(const AttentionShape& shape, float* scores, float* slopes,
                             int64_t columns, int64_t first, int64_t last, float logsumexp,
                             float delta) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto below = hn::Set(di, static_cast<int32_t>(first) - 1),
             high = hn::Set(di, static_cast<int32_t>(last));
  const float cap = shape.softcap;
  const auto factor = hn::Set(d, (cap > 0.0f ? cap : shape.scale) * kLog2e);
  const auto shift = hn::Set(d, logsumexp * kLog2e), rest = hn::Set(d, delta);
  for (int64_t j = 0; j < columns; j += lanes) {
    auto s = hn::LoadU(d, scores + j);
    auto outer = hn::Set(d, shape.scale);
    if (cap > 0.0f) {
      s = tanh_fast(d, hn::Mul(s, hn::Set(d, shape.scale / cap)));
      outer = hn::Mul(outer, hn::NegMulAdd(s, s, hn::Set(d, 1.0f)));
    }
    // Rounding may lift the exponent a little above 0, where the approximation still holds.
    auto p = exp2_of_negative(d, hn::MulSub(s, factor, shift));
    if (j < first || j + lanes > last) {
      const auto at = hn::Iota(di, static_cast<int32_t>(j));
      p = hn::IfThenElseZero(hn::RebindMask(d, hn::And(hn::Gt(at, below), hn::Lt(at, high))), p);
    }
    hn::StoreU(p, d, scores + j);
    hn::StoreU(hn::Mul(hn::Mul(p, outer), hn::Sub(hn::LoadU(d, slopes + j), rest)), d, slopes + j);
  }
}

int64_t AttentionBackwardScratch() {
  return 2 * kQueryRows * kKeyPanel;
}

// P and dS of the queries [begin, begin + rows) against one panel of keys.
void panel_scores(const AttentionBackwardTask& task, int64_t key, int64_t keys, int64_t begin,
                  int64_t rows, float* scores, float* slopes) {
  const AttentionShape& shape = *task.shape;
  const AttentionRun& run = *task.run;
  const int64_t width = shape.padded_width(), lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  for (int64_t strip = 0; strip < rows; strip += kTileRows) {
    const int64_t query = begin + strip, count = std::min<int64_t>(kTileRows, rows - strip);
    const int64_t last = std::min(keys, run.last_key(shape, query + count - 1) - key);
    const int64_t columns = std::max<int64_t>(0, (last + lanes - 1) / lanes * lanes);
    float* p = scores + strip * kKeyPanel;
    float* ds = slopes + strip * kKeyPanel;
    small_gemm<false>({width, task.queries.at(query), task.queries.stride, 1,
                       task.key_panels + key * width, kKeyPanel, p, kKeyPanel},
                      count, columns);
    small_gemm<false>({width, task.dout.at(query), task.dout.stride, 1,
                       task.value_panels + key * width, kKeyPanel, ds, kKeyPanel},
                      count, columns);
    for (int64_t i = 0; i < count; ++i) {
      backward_row(shape, p + i * kKeyPanel, ds + i * kKeyPanel, columns,
                   run.first_key(shape, query + i) - key,
                   std::min(keys, run.last_key(shape, query + i) - key), task.logsumexp[query + i],
                   task.delta[query + i]);
      const auto unused = static_cast<size_t>(kKeyPanel - columns) * sizeof(float);
      std::memset(p + i * kKeyPanel + columns, 0, unused);
      std::memset(ds + i * kKeyPanel + columns, 0, unused);
    }
    if (columns > 0)
      small_gemm<true>({std::min(last, keys), ds, kKeyPanel, 1, task.keys.at(key), task.keys.stride,
                        task.dqueries.at(query), task.dqueries.stride},
                       count, width);
  }
}

// First query that sees some key >= `key`, and one past the last query that sees some key <= `key`.
HWY_INLINE int64_t first_query(const AttentionShape& shape, const AttentionRun& run, int64_t key) {
  return shape.causal ? std::max<int64_t>(0, key - run.offset()) : 0;
}
HWY_INLINE int64_t last_query(const AttentionShape& shape, const AttentionRun& run, int64_t key) {
  return shape.window > 0 ? std::min(run.queries, key - run.offset() + shape.window) : run.queries;
}

void AttentionBackward(const AttentionBackwardTask& task) {
  const AttentionShape& shape = *task.shape;
  const AttentionRun& run = *task.run;
  const int64_t width = shape.padded_width();
  float* scores = task.scratch;
  float* slopes = scores + kQueryRows * kKeyPanel;
  for (int64_t key = 0; key < run.keys; key += kKeyPanel) {
    const int64_t keys = std::min(kKeyPanel, run.keys - key);
    const int64_t stop = last_query(shape, run, key + keys - 1);
    for (int64_t begin = first_query(shape, run, key); begin < stop; begin += kQueryRows) {
      const int64_t rows = std::min(kQueryRows, stop - begin);
      panel_scores(task, key, keys, begin, rows, scores, slopes);
      for (int64_t j = 0; j < keys; j += kTileRows) {
        const int64_t count = std::min<int64_t>(kTileRows, keys - j);
        const int64_t skip = std::max<int64_t>(0, first_query(shape, run, key + j) - begin);
        if (skip >= rows) break;
        const int64_t at = skip * kKeyPanel + j, query = begin + skip;
        small_gemm<true>({rows - skip, scores + at, 1, kKeyPanel, task.dout.at(query),
                          task.dout.stride, task.dvalues.at(key + j), task.dvalues.stride},
                         count, width);
        small_gemm<true>({rows - skip, slopes + at, 1, kKeyPanel, task.queries.at(query),
                          task.queries.stride, task.dkeys.at(key + j), task.dkeys.stride},
                         count, width);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace toolkit::tensor::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(AttentionBackwardScratch);
HWY_EXPORT(AttentionBackward);

int64_t attention_backward_scratch() {
  return HWY_DYNAMIC_DISPATCH(AttentionBackwardScratch)();
}

void attention_backward(const AttentionBackwardTask& task) {
  HWY_DYNAMIC_DISPATCH(AttentionBackward)(task);
}

}  // namespace toolkit::tensor::cpu
#endif

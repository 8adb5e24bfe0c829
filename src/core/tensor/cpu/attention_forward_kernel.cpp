#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/tensor/cpu/attention_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/attention_forward_kernel.cpp"
#include "hwy/foreach_target.h"

#include "core/tensor/cpu/small_gemm-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu {
namespace HWY_NAMESPACE {

// Keys per softmax step: scores of six queries over them fit the first-level cache, and most
// training rows need one step only, so that sums are never rescaled.
constexpr int64_t kKeyStep = 8 * kKeyPanel;
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// State of the running softmax of one query.
struct RowState {
  float maximum = kMinusInfinity;
  float sum = 0.0f;
};

// Scores in columns [0, columns) become exp(score - maximum); those outside [first, last) become 0.
// Returns the factor for what was summed before.
HWY_INLINE float softmax_step(const AttentionShape& shape, float* scores, int64_t columns,
                              int64_t first, int64_t last, RowState& state) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto below = hn::Set(di, static_cast<int32_t>(first) - 1),
             high = hn::Set(di, static_cast<int32_t>(last));
  const auto nothing = hn::Set(d, kMinusInfinity), scale = hn::Set(d, shape.scale);
  const float cap = shape.softcap;
  auto maxima = nothing;
  for (int64_t j = 0; j < columns; j += lanes) {
    const auto at = hn::Iota(di, static_cast<int32_t>(j));
    auto s = hn::Mul(hn::LoadU(d, scores + j), scale);
    if (cap > 0.0f) s = hn::Mul(tanh_fast(d, hn::Mul(s, hn::Set(d, 1.0f / cap))), hn::Set(d, cap));
    const auto visible = hn::And(hn::Gt(at, below), hn::Lt(at, high));
    s = hn::IfThenElse(hn::RebindMask(d, visible), s, nothing);
    hn::StoreU(s, d, scores + j);
    maxima = hn::Max(maxima, s);
  }
  const float maximum = std::max(state.maximum, hn::GetLane(hn::MaxOfLanes(d, maxima)));
  if (maximum == kMinusInfinity) {
    for (int64_t j = 0; j < columns; j += lanes) hn::StoreU(hn::Zero(d), d, scores + j);
    return 1.0f;
  }
  const auto shift = hn::Set(d, maximum);
  auto sums = hn::Zero(d);
  for (int64_t j = 0; j < columns; j += lanes) {
    const auto p = exp_fast(d, hn::Sub(hn::LoadU(d, scores + j), shift));
    sums = hn::Add(sums, p);
    hn::StoreU(p, d, scores + j);
  }
  const float factor = std::exp(state.maximum - maximum);
  state.sum = state.sum * factor + hn::GetLane(hn::SumOfLanes(d, sums));
  state.maximum = maximum;
  return factor;
}

HWY_INLINE void scale_row(float* row, int64_t width, float factor) {
  const Floats d;
  const auto f = hn::Set(d, factor);
  for (int64_t i = 0; i < width; i += static_cast<int64_t>(hn::Lanes(d)))
    hn::StoreU(hn::Mul(hn::LoadU(d, row + i), f), d, row + i);
}

int64_t AttentionForwardScratch(const AttentionShape& shape) {
  return kTileRows * kKeyStep + kQueryBlock * shape.padded_width();
}

// One strip of up to kTileRows queries against the keys [from, to) of one step.
void forward_strip(const AttentionForwardTask& task, int64_t strip, int64_t rows, int64_t from,
                   int64_t to, float* scores, float* sums, RowState* states) {
  const AttentionShape& shape = *task.shape;
  const AttentionRun& run = *task.run;
  const int64_t width = shape.padded_width(), lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  const int64_t query = task.begin + strip;
  // Only panels that some query of the strip sees.
  const int64_t first = std::max(from, run.first_key(shape, query) / kKeyPanel * kKeyPanel);
  const int64_t last = std::min(to, run.last_key(shape, query + rows - 1));
  if (first >= last) return;
  const int64_t columns = (last - first + lanes - 1) / lanes * lanes;
  for (int64_t key = first; key < last; key += kKeyPanel) {
    const int64_t wide = std::min(kKeyPanel, columns - (key - first));
    small_gemm<false>({width, task.queries + strip * width, width, 1, task.key_panels + key * width,
                       kKeyPanel, scores + (key - first), kKeyStep},
                      rows, wide);
  }
  for (int64_t i = 0; i < rows; ++i) {
    const float factor =
        softmax_step(shape, scores + i * kKeyStep, columns, run.first_key(shape, query + i) - first,
                     std::min(last, run.last_key(shape, query + i)) - first, states[strip + i]);
    if (factor != 1.0f) scale_row(sums + (strip + i) * width, width, factor);
  }
  small_gemm<true>({last - first, scores, kKeyStep, 1, task.values + first * width, width,
                    sums + strip * width, width},
                   rows, width);
}

void AttentionForward(const AttentionForwardTask& task) {
  const AttentionShape& shape = *task.shape;
  const int64_t width = shape.padded_width();
  float* scores = task.scratch;
  float* sums = scores + kTileRows * kKeyStep;
  std::memset(sums, 0, static_cast<size_t>(task.count * width) * sizeof(float));
  RowState states[kQueryBlock];
  const int64_t end = task.run->last_key(shape, task.begin + task.count - 1);
  const int64_t begin = task.run->first_key(shape, task.begin) / kKeyPanel * kKeyPanel;
  for (int64_t from = begin; from < end; from += kKeyStep) {
    for (int64_t strip = 0; strip < task.count; strip += kTileRows)
      forward_strip(task, strip, std::min<int64_t>(kTileRows, task.count - strip), from,
                    std::min(end, from + kKeyStep), scores, sums, states);
  }
  for (int64_t i = 0; i < task.count; ++i) {
    const RowState& state = states[i];
    scale_row(sums + i * width, width, state.sum > 0.0f ? 1.0f / state.sum : 0.0f);
    std::memcpy(task.out + i * task.out_stride, sums + i * width,
                static_cast<size_t>(shape.width) * sizeof(float));
    task.logsumexp[i * task.logsumexp_stride] =
        state.sum > 0.0f ? state.maximum + std::log(state.sum) : 0.0f;
  }
}

void PackRows(const float* from, int64_t stride, int64_t rows, int64_t width, int64_t padded,
              float* to) {
  for (int64_t row = 0; row < rows; ++row, from += stride, to += padded) {
    std::memcpy(to, from, static_cast<size_t>(width) * sizeof(float));
    if (width < padded)
      std::memset(to + width, 0, static_cast<size_t>(padded - width) * sizeof(float));
  }
}

void PackPanels(const float* from, int64_t stride, int64_t rows, int64_t width, int64_t padded,
                float* to) {
  for (int64_t begin = 0; begin < rows; begin += kKeyPanel, to += padded * kKeyPanel) {
    const int64_t count = std::min(kKeyPanel, rows - begin),
                  used = std::min(kKeyPanel, (count + 15) / 16 * 16);
    for (int64_t i = 0; i < padded; ++i) {
      float* line = to + i * kKeyPanel;
      for (int64_t j = 0; j < used; ++j)
        line[j] = j < count && i < width ? from[(begin + j) * stride + i] : 0.0f;
    }
  }
}

float Dot(const float* a, const float* b, int64_t width) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto sums = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= width; i += lanes)
    sums = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), sums);
  float total = hn::GetLane(hn::SumOfLanes(d, sums));
  for (; i < width; ++i) total += a[i] * b[i];
  return total;
}

}  // namespace HWY_NAMESPACE
}  // namespace toolkit::tensor::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(AttentionForwardScratch);
HWY_EXPORT(AttentionForward);
HWY_EXPORT(PackRows);
HWY_EXPORT(PackPanels);
HWY_EXPORT(Dot);

int64_t attention_forward_scratch(const AttentionShape& shape) {
  return HWY_DYNAMIC_DISPATCH(AttentionForwardScratch)(shape);
}

void attention_forward(const AttentionForwardTask& task) {
  HWY_DYNAMIC_DISPATCH(AttentionForward)(task);
}

void pack_rows(const float* from, int64_t stride, int64_t rows, int64_t width, int64_t padded,
               float* to) {
  HWY_DYNAMIC_DISPATCH(PackRows)(from, stride, rows, width, padded, to);
}

void pack_panels(const float* from, int64_t stride, int64_t rows, int64_t width, int64_t padded,
                 float* to) {
  HWY_DYNAMIC_DISPATCH(PackPanels)(from, stride, rows, width, padded, to);
}

float dot(const float* a, const float* b, int64_t width) {
  return HWY_DYNAMIC_DISPATCH(Dot)(a, b, width);
}

}  // namespace toolkit::tensor::cpu
#endif

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
constexpr float kLog2e = 1.44269504088896341f, kLn2 = 0.693147180559945309f;
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// State of the running softmax of one query; the maximum is in powers of two.
struct RowState {
  float maximum = kMinusInfinity;
  float sum = 0.0f;
};

// Raw scores in columns [0, columns) become exp(score - maximum); those outside [first, last)
// become 0. Everything is in powers of two: a score is multiplied by scale / ln 2 once. Returns the
// factor for what was summed before.
HWY_INLINE float softmax_step(const AttentionShape& shape, float* scores, int64_t columns,
                              int64_t first, int64_t last, RowState& state) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto below = hn::Set(di, static_cast<int32_t>(first) - 1),
             high = hn::Set(di, static_cast<int32_t>(last));
  const auto nothing = hn::Set(d, kMinusInfinity);
  const float cap = shape.softcap, scale = cap > 0.0f ? cap * kLog2e : shape.scale * kLog2e;
  const auto factors = hn::Set(d, scale);
  auto maxima = nothing;
  for (int64_t j = 0; j < columns; j += lanes) {
    auto s = hn::LoadU(d, scores + j);
    const bool inside = j >= first && j + lanes <= last;
    if (cap > 0.0f) s = tanh_fast(d, hn::Mul(s, hn::Set(d, shape.scale / cap)));
    if (!inside) {
      const auto at = hn::Iota(di, static_cast<int32_t>(j));
      s = hn::IfThenElse(hn::RebindMask(d, hn::And(hn::Gt(at, below), hn::Lt(at, high))), s,
                         nothing);
    }
    if (cap > 0.0f || !inside) hn::StoreU(s, d, scores + j);
    maxima = hn::Max(maxima, s);
  }
  // The scale is positive, so the largest raw score is the largest score.
  const float maximum = std::max(state.maximum, scale * hn::GetLane(hn::MaxOfLanes(d, maxima)));
  if (maximum == kMinusInfinity) {
    for (int64_t j = 0; j < columns; j += lanes) hn::StoreU(hn::Zero(d), d, scores + j);
    return 1.0f;
  }
  const auto shift = hn::Set(d, maximum);
  auto sums = hn::Zero(d);
  for (int64_t j = 0; j < columns; j += lanes) {
    const auto p = exp2_of_negative(d, hn::MulSub(hn::LoadU(d, scores + j), factors, shift));
    sums = hn::Add(sums, p);
    hn::StoreU(p, d, scores + j);
  }
  const float factor = state.sum > 0.0f ? std::exp2(state.maximum - maximum) : 1.0f;
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

int64_t AttentionForwardScratch() {
  return kTileRows * kKeyStep;
}

// One strip of up to kTileRows queries against the keys [from, to) of one step.
void forward_strip(const AttentionForwardTask& task, int64_t strip, int64_t rows, int64_t from,
                   int64_t to, RowState* states) {
  const AttentionShape& shape = *task.shape;
  const AttentionRun& run = *task.run;
  const int64_t width = shape.padded_width(), lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  const int64_t query = task.begin + strip;
  float* scores = task.scratch;
  float* sums = task.out + strip * task.out_stride;
  // Only panels that some query of the strip sees.
  const int64_t first = std::max(from, run.first_key(shape, query) / kKeyPanel * kKeyPanel);
  const int64_t last = std::min(to, run.last_key(shape, query + rows - 1));
  if (first >= last) return;
  const int64_t columns = (last - first + lanes - 1) / lanes * lanes;
  for (int64_t key = first; key < last; key += kKeyPanel) {
    const int64_t wide = std::min(kKeyPanel, columns - (key - first));
    small_gemm<false>({width, task.queries.at(strip), task.queries.stride, 1,
                       task.key_panels + key * width, kKeyPanel, scores + (key - first), kKeyStep},
                      rows, wide);
  }
  for (int64_t i = 0; i < rows; ++i) {
    const float factor =
        softmax_step(shape, scores + i * kKeyStep, columns, run.first_key(shape, query + i) - first,
                     std::min(last, run.last_key(shape, query + i)) - first, states[i]);
    if (factor != 1.0f) scale_row(sums + i * task.out_stride, width, factor);
  }
  const SmallGemm weighted{last - first,       scores, kKeyStep,       1, task.values.at(first),
                           task.values.stride, sums,   task.out_stride};
  if (from == 0) return small_gemm<false>(weighted, rows, width);
  small_gemm<true>(weighted, rows, width);
}

void AttentionForward(const AttentionForwardTask& task) {
  const AttentionShape& shape = *task.shape;
  const int64_t width = shape.padded_width();
  RowState states[kQueryBlock];
  const int64_t end = task.run->last_key(shape, task.begin + task.count - 1);
  const int64_t seen = task.run->first_key(shape, task.begin) / kKeyPanel * kKeyPanel;
  if (seen > 0) {  // sums are added to only
    for (int64_t i = 0; i < task.count; ++i)
      std::memset(task.out + i * task.out_stride, 0, static_cast<size_t>(width) * sizeof(float));
  }
  for (int64_t from = seen; from < end; from += kKeyStep) {
    for (int64_t strip = 0; strip < task.count; strip += kTileRows)
      forward_strip(task, strip, std::min<int64_t>(kTileRows, task.count - strip), from,
                    std::min(end, from + kKeyStep), states + strip);
  }
  for (int64_t i = 0; i < task.count; ++i) {
    const RowState& state = states[i];
    scale_row(task.out + i * task.out_stride, width, state.sum > 0.0f ? 1.0f / state.sum : 0.0f);
    task.logsumexp[i * task.logsumexp_stride] =
        state.sum > 0.0f ? state.maximum * kLn2 + std::log(state.sum) : 0.0f;
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

// Four rows of 16 floats, `stride` apart, become 16 rows of four, kKeyPanel apart.
HWY_INLINE void transpose_4x16(const float* from, int64_t stride, float* to) {
  const hn::CappedTag<float, 16> d;  // 16 lanes or a divisor of it
  const hn::CappedTag<float, 4> quarter;
  constexpr int64_t kBlock = 4;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN float turned[4 * 16];
  for (int64_t i = 0; i < 16; i += lanes) {
    const auto a = hn::LoadU(d, from + i), b = hn::LoadU(d, from + stride + i);
    const auto c = hn::LoadU(d, from + 2 * stride + i), e = hn::LoadU(d, from + 3 * stride + i);
    const auto ac_low = hn::InterleaveLower(d, a, c), ac_high = hn::InterleaveUpper(d, a, c);
    const auto be_low = hn::InterleaveLower(d, b, e), be_high = hn::InterleaveUpper(d, b, e);
    hn::Store(hn::InterleaveLower(d, ac_low, be_low), d, turned);
    hn::Store(hn::InterleaveUpper(d, ac_low, be_low), d, turned + lanes);
    hn::Store(hn::InterleaveLower(d, ac_high, be_high), d, turned + 2 * lanes);
    hn::Store(hn::InterleaveUpper(d, ac_high, be_high), d, turned + 3 * lanes);
    for (int64_t block = 0; block < lanes; block += kBlock) {
      for (int64_t k = 0; k < kBlock; ++k)
        hn::StoreU(hn::Load(quarter, turned + k * lanes + block), quarter,
                   to + (i + block + k) * kKeyPanel);
    }
  }
}

void PackPanels(const float* from, int64_t stride, int64_t rows, int64_t width, int64_t padded,
                float* to) {
  const bool blocks = width % 16 == 0 && hn::Lanes(Floats()) >= 4;
  for (int64_t begin = 0; begin < rows; begin += kKeyPanel, to += padded * kKeyPanel) {
    const int64_t count = std::min(kKeyPanel, rows - begin),
                  used = std::min(kKeyPanel, (count + 15) / 16 * 16);
    const float* source = from + begin * stride;
    int64_t j = 0;
    for (; blocks && j + 4 <= count; j += 4) {
      for (int64_t i = 0; i < width; i += 16)
        transpose_4x16(source + j * stride + i, stride, to + i * kKeyPanel + j);
    }
    for (; j < used; ++j) {
      for (int64_t i = 0; i < padded; ++i)
        to[i * kKeyPanel + j] = j < count && i < width ? source[j * stride + i] : 0.0f;
    }
  }
}

void RowDots(const float* a, int64_t a_stride, const float* b, int64_t b_stride, int64_t rows,
             int64_t width, float* out) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t row = 0; row < rows; ++row, a += a_stride, b += b_stride) {
    auto sums = hn::Zero(d);
    int64_t i = 0;
    for (; i + lanes <= width; i += lanes)
      sums = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), sums);
    float total = hn::GetLane(hn::SumOfLanes(d, sums));
    for (; i < width; ++i) total += a[i] * b[i];
    out[row] = total;
  }
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
HWY_EXPORT(RowDots);

int64_t attention_forward_scratch() {
  return HWY_DYNAMIC_DISPATCH(AttentionForwardScratch)();
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

void row_dots(const float* a, int64_t a_stride, const float* b, int64_t b_stride, int64_t rows,
              int64_t width, float* out) {
  HWY_DYNAMIC_DISPATCH(RowDots)(a, a_stride, b, b_stride, rows, width, out);
}

}  // namespace toolkit::tensor::cpu
#endif

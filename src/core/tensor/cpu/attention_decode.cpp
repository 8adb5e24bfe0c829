#include "core/tensor/cpu/attention_decode.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/tensor/cpu/scratch.h"
#include "core/tensor/cpu/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/attention_decode.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"

#include "core/tensor/cpu/small_gemm-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu {
namespace HWY_NAMESPACE {

constexpr int64_t kDecodeKeys = 128, kFewestDecodeKeys = 32;  // of one piece of work
constexpr float kDecodeLog2e = 1.44269504088896341f;

/// Some keys for all heads: their rows lie one behind another.
struct DecodePiece {
  const AttentionShape* shape;
  const float *queries, *keys, *values;
  int64_t key_stride, value_stride, count;
  float* sums;    // (heads, padded width): sum of exp(score - maximum) * value
  float* states;  // (heads, 2): maximum in powers of two, sum of exp
};

HWY_INLINE float dot_row(const float* a, const float* b, int64_t width) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto sum0 = hn::Zero(d), sum1 = hn::Zero(d);
  int64_t i = 0;
  for (; i + 2 * lanes <= width; i += 2 * lanes) {
    sum0 = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), sum0);
    sum1 = hn::MulAdd(hn::LoadU(d, a + i + lanes), hn::LoadU(d, b + i + lanes), sum1);
  }
  for (; i + lanes <= width; i += lanes)
    sum0 = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), sum0);
  float total = hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1)));
  for (; i < width; ++i) total += a[i] * b[i];
  return total;
}

// Scores (count, rounded up to whole vectors) become exp(score - maximum).
void decode_softmax(const AttentionShape& shape, float* scores, int64_t count, float* state) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const float cap = shape.softcap, factor = (cap > 0.0f ? cap : shape.scale) * kDecodeLog2e;
  const int64_t columns = (count + lanes - 1) / lanes * lanes;
  std::fill(scores + count, scores + columns, -std::numeric_limits<float>::infinity());
  auto maxima = hn::Set(d, -std::numeric_limits<float>::infinity());
  for (int64_t j = 0; j < columns; j += lanes) {
    auto s = hn::LoadU(d, scores + j);
    if (cap > 0.0f && j + lanes <= count) {
      s = tanh_fast(d, hn::Mul(s, hn::Set(d, shape.scale / cap)));
    } else if (cap > 0.0f) {
      s = hn::IfThenElse(hn::Lt(s, hn::Set(d, -std::numeric_limits<float>::max())), s,
                         tanh_fast(d, hn::Mul(s, hn::Set(d, shape.scale / cap))));
    }
    s = hn::Mul(s, hn::Set(d, factor));
    hn::StoreU(s, d, scores + j);
    maxima = hn::Max(maxima, s);
  }
  const float maximum = hn::GetLane(hn::MaxOfLanes(d, maxima));
  auto sums = hn::Zero(d);
  for (int64_t j = 0; j < columns; j += lanes) {
    const auto p = exp2_of_negative(d, hn::Sub(hn::LoadU(d, scores + j), hn::Set(d, maximum)));
    sums = hn::Add(sums, p);
    hn::StoreU(p, d, scores + j);
  }
  state[0] = maximum;
  state[1] = hn::GetLane(hn::SumOfLanes(d, sums));
}

// scores (heads, kDecodeKeys); asks for the values on the way.
void decode_scores(const DecodePiece& piece, float* scores) {
  const AttentionShape& shape = *piece.shape;
  const int64_t group = shape.group(), width = shape.width, row = shape.kv_heads * width;
  for (int64_t j = 0; j < piece.count; ++j) {
    const float* key = piece.keys + j * piece.key_stride;
    const float* value = piece.values + j * piece.value_stride;
    for (int64_t i = 0; i < row; i += 16) hwy::Prefetch(value + i);
    for (int64_t h = 0; h < shape.heads; ++h)
      scores[h * kDecodeKeys + j] =
          dot_row(piece.queries + h * width, key + h / group * width, width);
  }
}

void decode_piece(const DecodePiece& piece, float* scores, float* padded_values) {
  const AttentionShape& shape = *piece.shape;
  const int64_t group = shape.group(), width = shape.width, padded = shape.padded_width();
  decode_scores(piece, scores);
  for (int64_t h = 0; h < shape.heads; ++h)
    decode_softmax(shape, scores + h * kDecodeKeys, piece.count, piece.states + 2 * h);
  for (int64_t head = 0; head < shape.kv_heads; ++head) {
    const float* values = piece.values + head * width;
    int64_t stride = piece.value_stride;
    if (width != padded) {
      for (int64_t j = 0; j < piece.count; ++j) {
        std::memcpy(padded_values + j * padded, values + j * stride,
                    static_cast<size_t>(width) * sizeof(float));
        std::fill(padded_values + j * padded + width, padded_values + (j + 1) * padded, 0.0f);
      }
      values = padded_values;
      stride = padded;
    }
    small_gemm<false>({piece.count, scores + head * group * kDecodeKeys, kDecodeKeys, 1, values,
                       stride, piece.sums + head * group * padded, padded},
                      group, padded);
  }
}

// Puts the pieces of one head together.
void merge_head(const float* sums, const float* states, int64_t pieces, int64_t state_step,
                int64_t sum_step, int64_t width, float* out, float* logsumexp) {
  float maximum = -std::numeric_limits<float>::infinity(), total = 0.0f;
  for (int64_t p = 0; p < pieces; ++p) maximum = std::max(maximum, states[p * state_step]);
  std::fill(out, out + width, 0.0f);
  for (int64_t p = 0; p < pieces; ++p) {
    const float weight = std::exp2(states[p * state_step] - maximum);
    total += weight * states[p * state_step + 1];
    const float* part = sums + p * sum_step;
    for (int64_t i = 0; i < width; ++i) out[i] += weight * part[i];
  }
  for (int64_t i = 0; i < width; ++i) out[i] /= total;
  if (logsumexp) *logsumexp = maximum / kDecodeLog2e + std::log(total);
}

void AttentionOneQuery(const AttentionShape& shape, const float* q, const float* k,
                       int64_t k_stride, const float* v, int64_t v_stride, int64_t first,
                       int64_t last, float* out, float* logsumexp, int64_t logsumexp_stride) {
  // Enough pieces to share out, few enough to put together.
  const int64_t share = (last - first) / (4 * thread_count()) / 16 * 16;
  const int64_t keys = std::clamp(share, kFewestDecodeKeys, kDecodeKeys);
  const int64_t pieces = (last - first + keys - 1) / keys;
  const int64_t width = shape.width, padded = shape.padded_width();
  const int64_t sum_floats = shape.heads * padded;
  float* sums = scratch<float>(Scratch::kAttentionSums,
                               static_cast<size_t>(pieces * (sum_floats + 2 * shape.heads)));
  float* states = sums + pieces * sum_floats;
  parallel_for(pieces, 1, [&](int64_t begin, int64_t end, int) {
    float* scores = scratch<float>(Scratch::kAttentionScores,
                                   static_cast<size_t>(kDecodeKeys * (shape.heads + padded)));
    for (int64_t p = begin; p < end; ++p) {
      const int64_t key = first + p * keys;
      const DecodePiece piece{&shape,
                              q,
                              k + key * k_stride,
                              v + key * v_stride,
                              k_stride,
                              v_stride,
                              std::min(keys, last - key),
                              sums + p * sum_floats,
                              states + 2 * p * shape.heads};
      decode_piece(piece, scores, scores + kDecodeKeys * shape.heads);
    }
  });
  for (int64_t h = 0; h < shape.heads; ++h)
    merge_head(sums + h * padded, states + 2 * h, pieces, 2 * shape.heads, sum_floats, width,
               out + h * width, logsumexp ? logsumexp + h * logsumexp_stride : nullptr);
}

}  // namespace HWY_NAMESPACE
}  // namespace toolkit::tensor::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(AttentionOneQuery);

void attention_one_query(const AttentionShape& shape, const float* q, const float* k,
                         int64_t k_stride, const float* v, int64_t v_stride, int64_t first,
                         int64_t last, float* out, float* logsumexp, int64_t logsumexp_stride) {
  HWY_DYNAMIC_DISPATCH(AttentionOneQuery)
  (shape, q, k, k_stride, v, v_stride, first, last, out, logsumexp, logsumexp_stride);
}

}  // namespace toolkit::tensor::cpu
#endif

#include "core/tensor/cpu/attention_decode.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/tensor/cpu/scratch.h"
#include "core/tensor/cpu/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/attention_decode.cpp"
#include "hwy/foreach_target.h"

#include "core/tensor/cpu/small_gemm-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu {
namespace HWY_NAMESPACE {

constexpr int64_t kDecodeKeys = 128;  // keys of one piece of work
constexpr float kDecodeLog2e = 1.44269504088896341f;

/// One kv head's keys [begin, begin + count) for the queries of its group.
struct DecodePiece {
  const AttentionShape* shape;
  const float *queries, *keys, *values;
  int64_t key_stride, value_stride, count;
  float* sums;    // (group, padded width): sum of exp(score - maximum) * value
  float* states;  // (group, 2): maximum in powers of two, sum of exp
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

void decode_piece(const DecodePiece& piece, float* scores, float* padded_values) {
  const AttentionShape& shape = *piece.shape;
  const int64_t group = shape.group(), width = shape.width, padded = shape.padded_width();
  for (int64_t j = 0; j < piece.count; ++j) {
    for (int64_t g = 0; g < group; ++g)
      scores[g * kDecodeKeys + j] =
          dot_row(piece.queries + g * width, piece.keys + j * piece.key_stride, width);
  }
  for (int64_t g = 0; g < group; ++g)
    decode_softmax(shape, scores + g * kDecodeKeys, piece.count, piece.states + 2 * g);
  const float* values = piece.values;
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
  small_gemm<false>({piece.count, scores, kDecodeKeys, 1, values, stride, piece.sums, padded},
                    group, padded);
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
  const int64_t pieces = (last - first + kDecodeKeys - 1) / kDecodeKeys, group = shape.group();
  const int64_t width = shape.width, padded = shape.padded_width();
  const int64_t sum_floats = shape.heads * padded;
  float* sums = scratch<float>(Scratch::kAttentionSums,
                               static_cast<size_t>(pieces * (sum_floats + 2 * shape.heads)));
  float* states = sums + pieces * sum_floats;
  parallel_for(pieces * shape.kv_heads, 1, [&](int64_t begin, int64_t end, int) {
    float* scores = scratch<float>(Scratch::kAttentionScores,
                                   static_cast<size_t>(kDecodeKeys * (group + padded)));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t p = i / shape.kv_heads, head = i % shape.kv_heads,
                    key = first + p * kDecodeKeys;
      const DecodePiece piece{&shape,
                              q + head * group * width,
                              k + key * k_stride + head * width,
                              v + key * v_stride + head * width,
                              k_stride,
                              v_stride,
                              std::min(kDecodeKeys, last - key),
                              sums + p * sum_floats + head * group * padded,
                              states + 2 * (p * shape.heads + head * group)};
      decode_piece(piece, scores, scores + kDecodeKeys * group);
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

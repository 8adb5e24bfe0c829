#include "core/tensor/cpu/block_attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/tensor/cpu/scratch.h"
#include "core/tensor/cpu/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/tensor/cpu/block_attention.cpp"
#include "hwy/foreach_target.h"

#include "core/tensor/cpu/small_gemm-inl.h"
#include "hwy/highway.h"

namespace toolkit::tensor::cpu {
#ifndef TOOLKIT_BLOCK_ATTENTION_TILE
#define TOOLKIT_BLOCK_ATTENTION_TILE
/// Neighbouring tokens of one sequence under the query heads of one head of keys.
struct AttentionTile {
  const BlockAttention* shape;
  std::span<const AttentionRow> rows;
  int64_t kv_head;
};
#endif
}  // namespace toolkit::tensor::cpu

HWY_BEFORE_NAMESPACE();
namespace toolkit::tensor::cpu {
namespace HWY_NAMESPACE {

constexpr int64_t kBlock = KvBlockShape::kTokens;

/// Running softmax of one query.
struct SoftmaxState {
  float maximum, total;
};

/// Scores of one block become weights relative to the running maximum; returns by what the sums so
/// far are to be multiplied. Keys outside [first, end) have no weight.
float weigh_block(const BlockAttention& shape, float* scores, int64_t first, int64_t end,
                  SoftmaxState& state) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  constexpr float kLog2e = 1.44269504088896341f, kNever = -std::numeric_limits<float>::infinity();
  if (first >= end) {
    std::fill_n(scores, kBlock, 0.0f);
    return 1.0f;
  }
  const float cap = shape.softcap;
  for (int64_t j = 0; j < kBlock; j += lanes) {
    auto s = hn::Mul(hn::LoadU(d, scores + j),
                     hn::Set(d, cap > 0.0f ? shape.scale / cap : shape.scale * kLog2e));
    if (cap > 0.0f) s = hn::Mul(tanh_fast(d, s), hn::Set(d, cap * kLog2e));
    hn::StoreU(s, d, scores + j);
  }
  std::fill(scores, scores + first, kNever);
  std::fill(scores + end, scores + kBlock, kNever);
  auto maxima = hn::Set(d, state.maximum);
  for (int64_t j = 0; j < kBlock; j += lanes) maxima = hn::Max(maxima, hn::LoadU(d, scores + j));
  const float maximum = hn::GetLane(hn::MaxOfLanes(d, maxima));
  auto sums = hn::Zero(d);
  for (int64_t j = 0; j < kBlock; j += lanes) {
    const auto p = exp2_of_negative(d, hn::Sub(hn::LoadU(d, scores + j), hn::Set(d, maximum)));
    sums = hn::Add(sums, p);
    hn::StoreU(p, d, scores + j);
  }
  const float before = hn::GetLane(exp2_of_negative(d, hn::Set(d, state.maximum - maximum)));
  state.total = state.total * before + hn::GetLane(hn::SumOfLanes(d, sums));
  state.maximum = maximum;
  return before;
}

struct TileWork {
  float *queries, *scores, *sums;
  float *keys, *values;  // of one block and head
  SoftmaxState* states;
};

/// `count` numbers, a multiple of 16, as f32.
void widen(const uint8_t* from, bool int8, int64_t count, float* to) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  if (int8) {
    const hn::RebindToSigned<Floats> di;
    const hn::Rebind<int8_t, Floats> d8;
    const auto* q = reinterpret_cast<const int8_t*>(from);
    for (int64_t i = 0; i < count; i += lanes)
      hn::StoreU(hn::ConvertTo(d, hn::PromoteTo(di, hn::LoadU(d8, q + i))), d, to + i);
    return;
  }
  const hn::Rebind<hwy::float16_t, Floats> d16;
  const auto* half = reinterpret_cast<const hwy::float16_t*>(from);
  for (int64_t i = 0; i < count; i += lanes)
    hn::StoreU(hn::PromoteTo(d, hn::LoadU(d16, half + i)), d, to + i);
}

/// Keys (D, 32) and the first `used` values (32, padded D) of a block and head.
void widen_block(const BlockAttention& shape, const uint8_t* layer, int64_t head, int64_t used,
                 const TileWork& work) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const KvBlockShape& b = shape.blocks;
  const int64_t keys = b.head_dim * kBlock, padded = b.padded_width(), size = b.element_bytes();
  widen(layer + head * keys * size, b.int8, keys, work.keys);
  widen(layer + b.key_bytes() + head * kBlock * padded * size, b.int8, used * padded, work.values);
  if (!b.int8) return;
  const float* scales =
      reinterpret_cast<const float*>(layer + b.key_bytes() + b.value_bytes()) + head * kBlock;
  for (int64_t i = 0; i < keys; i += lanes)
    hn::StoreU(hn::Mul(hn::LoadU(d, work.keys + i), hn::LoadU(d, scales + i % kBlock)), d,
               work.keys + i);
  const float* value_scales = scales + b.kv_heads * kBlock;
  for (int64_t t = 0; t < used; ++t)
    for (int64_t i = 0; i < padded; i += lanes) {
      float* at = work.values + t * padded + i;
      hn::StoreU(hn::Mul(hn::LoadU(d, at), hn::Set(d, value_scales[t])), d, at);
    }
}

template <class D>
HWY_INLINE void narrow_to_half(D d, const float* from, uint16_t* to) {
  const hn::Rebind<hwy::float16_t, D> d16;
  const auto x = hn::Min(hn::Max(hn::LoadU(d, from), hn::Set(d, -65504.0f)), hn::Set(d, 65504.0f));
  hn::StoreU(hn::DemoteTo(d16, x), d16, reinterpret_cast<hwy::float16_t*>(to));
}

/// f32 as f16; what is too large for it becomes the largest there is.
void NarrowToHalf(const float* from, int64_t count, uint16_t* to) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) narrow_to_half(d, from + i, to + i);
  for (; i < count; ++i) narrow_to_half(hn::CappedTag<float, 1>(), from + i, to + i);
}

/// Adds one block to the sums of all queries of a tile.
void add_block(const AttentionTile& tile, const TileWork& work, int64_t block) {
  const BlockAttention& shape = *tile.shape;
  const KvBlockShape& b = shape.blocks;
  const int64_t width = b.head_dim, padded = b.padded_width(), group = shape.heads / b.kv_heads;
  const int64_t queries = std::ssize(tile.rows) * group, base = block * kBlock;
  // Behind the last key there may be what another sequence left.
  const int64_t used = std::min<int64_t>(kBlock, tile.rows.back().position + 1 - base);
  widen_block(shape, tile.rows[0].blocks[block] + shape.layer_offset, tile.kv_head, used, work);
  small_gemm<false>({width, work.queries, width, 1, work.keys, kBlock, work.scores, kBlock},
                    queries, kBlock);
  for (int64_t i = 0; i < queries; ++i) {
    const int64_t position = tile.rows[static_cast<size_t>(i / group)].position;
    const int64_t from = shape.window > 0 ? std::max<int64_t>(0, position + 1 - shape.window) : 0;
    const int64_t first = std::max<int64_t>(0, from - base),
                  end = std::min<int64_t>(kBlock, position + 1 - base);
    const float before = weigh_block(shape, work.scores + i * kBlock, first, end, work.states[i]);
    if (before != 1.0f)
      for (int64_t k = 0; k < padded; ++k) work.sums[i * padded + k] *= before;
  }
  small_gemm<true>({used, work.scores, kBlock, 1, work.values, padded, work.sums, padded}, queries,
                   padded);
}

void AttendTile(const AttentionTile& tile) {
  const BlockAttention& shape = *tile.shape;
  const KvBlockShape& b = shape.blocks;
  const int64_t width = b.head_dim, padded = b.padded_width(), group = shape.heads / b.kv_heads;
  const int64_t queries = std::ssize(tile.rows) * group;
  TileWork work;
  work.queries = scratch<float>(
      Scratch::kAttentionScores,
      static_cast<size_t>(queries * (width + kBlock + padded + 2) + kBlock * (width + padded)));
  work.keys = work.queries + queries * width;
  work.values = work.keys + kBlock * width;
  work.scores = work.values + kBlock * padded;
  work.sums = work.scores + queries * kBlock;
  work.states = reinterpret_cast<SoftmaxState*>(work.sums + queries * padded);
  std::fill_n(work.sums, queries * padded, 0.0f);
  for (int64_t i = 0; i < queries; ++i) {
    std::memcpy(
        work.queries + i * width,
        tile.rows[static_cast<size_t>(i / group)].q + (tile.kv_head * group + i % group) * width,
        static_cast<size_t>(width) * sizeof(float));
    work.states[i] = {-std::numeric_limits<float>::infinity(), 0.0f};
  }
  const int64_t first = tile.rows.front().position, last = tile.rows.back().position;
  const int64_t begin =
      shape.window > 0 ? std::max<int64_t>(0, first + 1 - shape.window) / kBlock : 0;
  for (int64_t block = begin; block <= last / kBlock; ++block) add_block(tile, work, block);
  for (int64_t i = 0; i < queries; ++i) {
    float* out =
        tile.rows[static_cast<size_t>(i / group)].out + (tile.kv_head * group + i % group) * width;
    for (int64_t k = 0; k < width; ++k) out[k] = work.sums[i * padded + k] / work.states[i].total;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace toolkit::tensor::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace toolkit::tensor::cpu {

HWY_EXPORT(AttendTile);
HWY_EXPORT(NarrowToHalf);

void attend_blocks(const BlockAttention& shape, std::span<const AttentionRow> rows) {
  constexpr int64_t kQueries = 12;
  const int64_t group = shape.heads / shape.blocks.kv_heads;
  const size_t most = static_cast<size_t>(std::max<int64_t>(1, kQueries / group));
  std::vector<AttentionTile> tiles;
  for (size_t begin = 0; begin < rows.size();) {
    size_t end = begin + 1;
    while (end < rows.size() && end - begin < most && rows[end].blocks == rows[begin].blocks &&
           rows[end].position == rows[end - 1].position + 1)
      ++end;
    for (int64_t head = 0; head < shape.blocks.kv_heads; ++head)
      tiles.push_back({&shape, rows.subspan(begin, end - begin), head});
    begin = end;
  }
  parallel_for(std::ssize(tiles), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i)
      HWY_DYNAMIC_DISPATCH(AttendTile)(tiles[static_cast<size_t>(i)]);
  });
}

namespace {

constexpr int64_t kBlockTokens = KvBlockShape::kTokens;

/// Element i of a token lies `step` elements after element i - 1.
template <class T>
void scatter(const T* from, int64_t count, int64_t step, T* to) {
  for (int64_t i = 0; i < count; ++i) to[i * step] = from[i];
}

/// One head's numbers as int8; returns the scale.
float round_to_int8(const float* x, int64_t count, int8_t* q) {
  float largest = 0.0f;
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(x[i]));
  const float inverse = largest > 1e-30f ? 127.0f / largest : 0.0f;
  for (int64_t i = 0; i < count; ++i)
    q[i] = static_cast<int8_t>(std::lrint(std::clamp(x[i] * inverse, -127.0f, 127.0f)));
  return largest / 127.0f;
}

}  // namespace

void store_in_block(const BlockAttention& shape, int position, uint8_t* const* blocks,
                    const float* key, const float* value) {
  const KvBlockShape& b = shape.blocks;
  const int64_t slot = position % kBlockTokens, width = b.head_dim, padded = b.padded_width();
  uint8_t* keys = blocks[position / kBlockTokens] + shape.layer_offset;
  uint8_t* values = keys + b.key_bytes();
  float* scales = reinterpret_cast<float*>(values + b.value_bytes()) + slot;
  auto* narrow = scratch<uint16_t>(Scratch::kAttentionSums, static_cast<size_t>(width));
  auto* rounded = reinterpret_cast<int8_t*>(narrow);
  for (int64_t head = 0; head < b.kv_heads; ++head, key += width, value += width) {
    const int64_t key_at = head * width * kBlockTokens + slot,
                  value_at = (head * kBlockTokens + slot) * padded;
    if (b.int8) {
      scales[head * kBlockTokens] = round_to_int8(key, width, rounded);
      scatter(rounded, width, kBlockTokens, reinterpret_cast<int8_t*>(keys) + key_at);
      scales[(b.kv_heads + head) * kBlockTokens] = round_to_int8(value, width, rounded);
      scatter(rounded, width, 1, reinterpret_cast<int8_t*>(values) + value_at);
    } else {
      HWY_DYNAMIC_DISPATCH(NarrowToHalf)(key, width, narrow);
      scatter(narrow, width, kBlockTokens, reinterpret_cast<uint16_t*>(keys) + key_at);
      HWY_DYNAMIC_DISPATCH(NarrowToHalf)(value, width, narrow);
      scatter(narrow, width, 1, reinterpret_cast<uint16_t*>(values) + value_at);
    }
  }
}

}  // namespace toolkit::tensor::cpu
#endif

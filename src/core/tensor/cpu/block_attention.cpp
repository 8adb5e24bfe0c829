#include "core/tensor/cpu/block_attention.h"

#include <algorithm>
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
  SoftmaxState* states;
};

/// Adds one block to the sums of all queries of a tile.
void add_block(const AttentionTile& tile, const TileWork& work, int64_t block) {
  const BlockAttention& shape = *tile.shape;
  const KvBlockShape& b = shape.blocks;
  const int64_t width = b.head_dim, padded = b.padded_width(), group = shape.heads / b.kv_heads;
  const int64_t queries = std::ssize(tile.rows) * group, base = block * kBlock;
  const float* layer = tile.rows[0].blocks[block] + shape.layer_offset;
  const float* keys = layer + tile.kv_head * width * kBlock;
  const float* values = layer + b.key_floats() + tile.kv_head * kBlock * padded;
  small_gemm<false>({width, work.queries, width, 1, keys, kBlock, work.scores, kBlock}, queries,
                    kBlock);
  int64_t used = 0;
  for (int64_t i = 0; i < queries; ++i) {
    const int64_t position = tile.rows[static_cast<size_t>(i / group)].position;
    const int64_t from = shape.window > 0 ? std::max<int64_t>(0, position + 1 - shape.window) : 0;
    const int64_t first = std::max<int64_t>(0, from - base),
                  end = std::min<int64_t>(kBlock, position + 1 - base);
    used = std::max(used, end);
    const float before = weigh_block(shape, work.scores + i * kBlock, first, end, work.states[i]);
    if (before != 1.0f)
      for (int64_t k = 0; k < padded; ++k) work.sums[i * padded + k] *= before;
  }
  // Behind the last key there may be what another sequence left.
  small_gemm<true>({used, work.scores, kBlock, 1, values, padded, work.sums, padded}, queries,
                   padded);
}

void AttendTile(const AttentionTile& tile) {
  const BlockAttention& shape = *tile.shape;
  const KvBlockShape& b = shape.blocks;
  const int64_t width = b.head_dim, padded = b.padded_width(), group = shape.heads / b.kv_heads;
  const int64_t queries = std::ssize(tile.rows) * group;
  TileWork work;
  work.queries = scratch<float>(Scratch::kAttentionScores,
                                static_cast<size_t>(queries * (width + kBlock + padded + 2)));
  work.scores = work.queries + queries * width;
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

void store_in_block(const BlockAttention& shape, int position, float* const* blocks,
                    const float* key, const float* value) {
  constexpr int64_t kTokens = KvBlockShape::kTokens;
  const KvBlockShape& b = shape.blocks;
  const int64_t slot = position % kTokens, padded = b.padded_width();
  float* keys = blocks[position / kTokens] + shape.layer_offset;
  float* values = keys + b.key_floats();
  for (int64_t i = 0; i < int64_t{b.kv_heads} * b.head_dim; ++i) keys[i * kTokens + slot] = key[i];
  for (int64_t head = 0; head < b.kv_heads; ++head)
    std::copy_n(value + head * b.head_dim, b.head_dim, values + (head * kTokens + slot) * padded);
}

}  // namespace toolkit::tensor::cpu
#endif

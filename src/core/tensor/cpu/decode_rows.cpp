#include "core/tensor/cpu/decode_rows.h"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "core/tensor/cpu/block_attention.h"
#include "core/tensor/cpu/decode_step.h"
#include "core/tensor/cpu/fixed_gemm.h"
#include "core/tensor/cpu/gated_activation_kernels.h"
#include "core/tensor/cpu/gemv.h"
#include "core/tensor/cpu/low_rank_kernel.h"
#include "core/tensor/cpu/rms_norm_kernels.h"
#include "core/tensor/cpu/rope_kernels.h"
#include "core/tensor/cpu/scale_columns_kernels.h"
#include "core/tensor/cpu/scratch.h"
#include "core/tensor/cpu/thread_pool.h"
#include "core/tensor/prepared_weight.h"
#include "mlx/array.h"

namespace toolkit::tensor::cpu {

namespace {

/// A linear map and where its results go: (rows, out).
struct Product {
  const LinearTerms* map;
  float* y;
};

const ArrangedWeight* arranged(const LinearTerms& map) {
  return map.prepared ? map.prepared->arranged.get() : nullptr;
}

/// The weights alone; `finish_map` does the rest of each row.
void multiply(const float* x, int64_t count, std::span<const Product> products) {
  std::vector<FixedMap> together;
  const ArrangedWeight* first = arranged(*products[0].map);
  for (const auto& [map, y] : products) {
    const ArrangedWeight* weight = arranged(*map);
    if (!weight) {
      const GemvMap one{.weight = view_of(*map->weight), .y = y, .y_stride = map->weight->rows()};
      gemv_each(x, count, {&one, 1});
    } else if (first && weight->bits == first->bits && weight->group_size == first->group_size) {
      together.push_back({weight, y, weight->rows});
    } else {
      const FixedMap one{weight, y, weight->rows};
      fixed_gemm(x, count, {&one, 1});
    }
  }
  if (!together.empty()) fixed_gemm(x, count, together);
}

/// Rows with the same branches, which are finished together on one thread.
struct RowGroup {
  static constexpr size_t kMost = 4;
  const void* branches;
  std::array<int64_t, kMost> members;
  size_t count = 0;

  std::span<const int64_t> rows() const { return std::span(members).first(count); }
};

/// In the order of their first rows; small enough that every thread has some.
template <class BranchesOf>
std::vector<RowGroup> groups_of(int64_t count, const BranchesOf& branches_of) {
  const auto most =
      static_cast<size_t>(std::clamp<int64_t>(count / (2 * thread_count()), 1, RowGroup::kMost));
  std::vector<RowGroup> groups;
  std::map<const void*, size_t> open;  // the group that takes the next row of these branches
  for (int64_t row = 0; row < count; ++row) {
    const void* branches = branches_of(row);
    const auto [place, fresh] = open.try_emplace(branches, groups.size());
    if (!fresh && groups[place->second].count == most) place->second = groups.size();
    if (place->second == groups.size()) groups.push_back({.branches = branches, .members = {}});
    RowGroup& group = groups[place->second];
    group.members[group.count++] = row;
  }
  return groups;
}

template <class Body>
void for_each_group(const std::vector<RowGroup>& groups, const Body& body) {
  parallel_for(std::ssize(groups), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) body(groups[static_cast<size_t>(i)]);
  });
}

/// Branch, scale and bias of rows of one group: x (.., in), y (.., out).
void finish_map(const LinearTerms& map, const RowBranch& branch, const RowGroup& group,
                const float* x, float* y) {
  const int64_t width = map.weight->rows(), columns = map.weight->columns();
  if (branch.lora) {
    std::array<const float*, RowGroup::kMost> from{};
    std::array<float*, RowGroup::kMost> to{};
    for (size_t i = 0; i < group.count; ++i) {
      from[i] = x + group.members[i] * columns;
      to[i] = y + group.members[i] * width;
    }
    add_low_rank(view_of(*branch.lora), std::span(from).first(group.count),
                 std::span(to).first(group.count));
  }
  const float* bias = map.bias ? map.bias->data<float>() : nullptr;
  for (const int64_t row : group.rows()) {
    float* out = y + row * width;
    if (branch.output_scale)
      scale_columns_rows(out, branch.output_scale->data<float>(), bias, out, 1, width);
    else if (bias)
      for (int64_t i = 0; i < width; ++i) out[i] += bias[i];
  }
}

void norm_heads(const mx::array* weight, float* x, int64_t heads, int64_t width, float eps) {
  if (weight) rms_norm_rows(x, nullptr, weight->data<float>(), nullptr, x, heads, width, eps);
}

template <class Body>
void for_each_row(int64_t count, const Body& body) {
  parallel_for(count, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) body(row);
  });
}

/// One layer on its way through all rows.
class RowsPass {
 public:
  RowsPass(const DecodeLayer& layer, const DecodeSettings& settings, const KvBlockShape& blocks,
           int index, std::span<const DecodeRow> rows, std::span<float> x)
      : layer_(layer),
        settings_(settings),
        attention_{.blocks = blocks,
                   .layer_offset = index * blocks.layer_bytes(),
                   .heads = settings.heads,
                   .scale = settings.attention_scale,
                   .softcap = settings.attention_softcap,
                   .window = layer.window},
        rows_(rows),
        x_(x.data()),
        count_(std::ssize(rows)),
        channels_(std::ssize(x) / count_),
        query_(int64_t{settings.heads} * settings.head_dim),
        key_(int64_t{settings.kv_heads} * settings.head_dim),
        inner_(layer.gate.weight->rows()),
        groups_(groups_of(count_,
                          [&](int64_t row) { return rows[static_cast<size_t>(row)].branches; })) {
    normed_ = scratch<float>(
        Scratch::kDecode,
        static_cast<size_t>(count_ * (2 * (channels_ + query_ + key_) + 2 * inner_)));
    delta_ = normed_ + count_ * channels_;
    q_ = delta_ + count_ * channels_;
    seen_ = q_ + count_ * query_;
    k_ = seen_ + count_ * query_;
    v_ = k_ + count_ * key_;
    gate_ = v_ + count_ * key_;
    up_ = gate_ + count_ * inner_;
  }

  void run() {
    for_each_row(count_, [&](int64_t row) { norm(row, layer_.attention_norm); });
    multiply(normed_, count_,
             std::array{Product{&layer_.q, q_}, Product{&layer_.k, k_}, Product{&layer_.v, v_}});
    prepare_attention();
    attend();
    multiply(seen_, count_, std::array{Product{&layer_.o, delta_}});
    for_each_group(groups_, [&](const RowGroup& group) {
      finish_map(layer_.o, branches(group).o, group, seen_, delta_);
      for (const int64_t row : group.rows()) {
        add_delta(row, layer_.attention_output_norm);
        norm(row, layer_.mlp_norm);
      }
    });
    multiply(normed_, count_, std::array{Product{&layer_.gate, gate_}, Product{&layer_.up, up_}});
    for_each_group(groups_, [&](const RowGroup& group) { activate(group); });
    multiply(gate_, count_, std::array{Product{&layer_.down, delta_}});
    for_each_group(groups_, [&](const RowGroup& group) {
      finish_map(layer_.down, branches(group).down, group, gate_, delta_);
      for (const int64_t row : group.rows()) add_delta(row, layer_.mlp_output_norm);
    });
  }

 private:
  static const LayerBranches& branches(const RowGroup& group) {
    static const LayerBranches kNone;
    return group.branches ? *static_cast<const LayerBranches*>(group.branches) : kNone;
  }

  void norm(int64_t row, const mx::array* weight) {
    rms_norm_rows(x_ + row * channels_, nullptr, weight->data<float>(), nullptr,
                  normed_ + row * channels_, 1, channels_, settings_.norm_eps);
  }

  void add_delta(int64_t row, const mx::array* output_norm) {
    float* x = x_ + row * channels_;
    float* delta = delta_ + row * channels_;
    norm_heads(output_norm, delta, 1, channels_, settings_.norm_eps);
    for (int64_t i = 0; i < channels_; ++i) x[i] += delta[i];
  }

  void prepare_attention() {
    std::shared_ptr<const RopeTable> table;
    if (layer_.frequencies) {
      int last = 0;
      for (const DecodeRow& row : rows_) last = std::max(last, row.position);
      table = rope_table({layer_.frequencies->data<float>(), layer_.frequencies->size()},
                         layer_.rope_scale, last + 1);
    }
    for_each_group(groups_, [&](const RowGroup& group) {
      const LayerBranches& own = branches(group);
      finish_map(layer_.q, own.q, group, normed_, q_);
      finish_map(layer_.k, own.k, group, normed_, k_);
      finish_map(layer_.v, own.v, group, normed_, v_);
      for (const int64_t row : group.rows()) rotate_and_store(row, table.get());
    });
  }

  void rotate_and_store(int64_t row, const RopeTable* table) {
    const DecodeRow& token = rows_[static_cast<size_t>(row)];
    const int64_t width = settings_.head_dim;
    float *q = q_ + row * query_, *k = k_ + row * key_;
    norm_heads(layer_.q_norm, q, settings_.heads, width, settings_.norm_eps);
    norm_heads(layer_.k_norm, k, settings_.kv_heads, width, settings_.norm_eps);
    if (table) {
      const float* angles = table->at(token.position);
      rope_token(q, q, angles, settings_.heads, width, table->half, false);
      rope_token(k, k, angles, settings_.kv_heads, width, table->half, false);
    }
    store_in_block(attention_, token.position, token.blocks, k, v_ + row * key_);
  }

  void attend() {
    std::vector<AttentionRow> tokens;
    for (int64_t row = 0; row < count_; ++row) {
      const DecodeRow& token = rows_[static_cast<size_t>(row)];
      tokens.push_back({q_ + row * query_, seen_ + row * query_, token.position, token.blocks});
    }
    attend_blocks(attention_, tokens);
  }

  void activate(const RowGroup& group) {
    finish_map(layer_.gate, branches(group).gate, group, normed_, gate_);
    finish_map(layer_.up, branches(group).up, group, normed_, up_);
    for (const int64_t row : group.rows()) {
      float* gate = gate_ + row * inner_;
      gated_forward(gate, up_ + row * inner_, gate, inner_, settings_.gate);
    }
  }

  const DecodeLayer& layer_;
  const DecodeSettings& settings_;
  const BlockAttention attention_;
  const std::span<const DecodeRow> rows_;
  float* const x_;
  const int64_t count_, channels_, query_, key_, inner_;
  const std::vector<RowGroup> groups_;
  float *normed_, *delta_;      // (rows, channels)
  float *q_, *seen_, *k_, *v_;  // (rows, heads * width)
  float *gate_, *up_;           // (rows, inner)
};

}  // namespace

void decode_rows(const DecodeLayer& layer, const DecodeSettings& settings,
                 const KvBlockShape& blocks, int index, std::span<const DecodeRow> rows,
                 std::span<float> x) {
  RowsPass(layer, settings, blocks, index, rows, x).run();
}

void decode_head_rows(const mx::array& norm, const LinearTerms& head, float norm_eps,
                      std::span<const RowBranch> branches, std::span<const float> x,
                      std::span<float> logits) {
  const int64_t count = std::ssize(branches), channels = std::ssize(x) / count;
  float* normed = scratch<float>(Scratch::kDecode, x.size());
  rms_norm_rows(x.data(), nullptr, norm.data<float>(), nullptr, normed, count, channels, norm_eps);
  multiply(normed, count, std::array{Product{&head, logits.data()}});
  const auto branch_of = [&](int64_t row) -> const RowBranch& {
    return branches[static_cast<size_t>(row)];
  };
  for_each_group(groups_of(count, [&](int64_t row) { return branch_of(row).lora; }),
                 [&](const RowGroup& group) {
                   finish_map(head, branch_of(group.members[0]), group, normed, logits.data());
                 });
}

}  // namespace toolkit::tensor::cpu

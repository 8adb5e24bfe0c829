#include "core/tensor/cpu/decode_rows.h"

#include <algorithm>
#include <array>
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

/// Branch, scale and bias of one row.
void finish_map(const LinearTerms& map, const RowBranch& branch, const float* x, float* y) {
  const int64_t width = map.weight->rows();
  if (branch.lora) add_low_rank(view_of(*branch.lora), x, y);
  const float* bias = map.bias ? map.bias->data<float>() : nullptr;
  if (branch.output_scale)
    scale_columns_rows(y, branch.output_scale->data<float>(), bias, y, 1, width);
  else if (bias)
    for (int64_t i = 0; i < width; ++i) y[i] += bias[i];
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
        inner_(layer.gate.weight->rows()) {
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
    for_each_row(count_, [&](int64_t row) {
      finish_map(layer_.o, branches(row).o, seen_ + row * query_, delta_ + row * channels_);
      add_delta(row, layer_.attention_output_norm);
      norm(row, layer_.mlp_norm);
    });
    multiply(normed_, count_, std::array{Product{&layer_.gate, gate_}, Product{&layer_.up, up_}});
    for_each_row(count_, [&](int64_t row) { activate(row); });
    multiply(gate_, count_, std::array{Product{&layer_.down, delta_}});
    for_each_row(count_, [&](int64_t row) {
      finish_map(layer_.down, branches(row).down, gate_ + row * inner_, delta_ + row * channels_);
      add_delta(row, layer_.mlp_output_norm);
    });
  }

 private:
  const LayerBranches& branches(int64_t row) const {
    static const LayerBranches kNone;
    const LayerBranches* own = rows_[static_cast<size_t>(row)].branches;
    return own ? *own : kNone;
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
    const int64_t width = settings_.head_dim;
    for_each_row(count_, [&](int64_t row) {
      const DecodeRow& token = rows_[static_cast<size_t>(row)];
      const LayerBranches& own = branches(row);
      const float* normed = normed_ + row * channels_;
      float *q = q_ + row * query_, *k = k_ + row * key_, *v = v_ + row * key_;
      finish_map(layer_.q, own.q, normed, q);
      finish_map(layer_.k, own.k, normed, k);
      finish_map(layer_.v, own.v, normed, v);
      norm_heads(layer_.q_norm, q, settings_.heads, width, settings_.norm_eps);
      norm_heads(layer_.k_norm, k, settings_.kv_heads, width, settings_.norm_eps);
      if (table) {
        const float* angles = table->at(token.position);
        rope_token(q, q, angles, settings_.heads, width, table->half, false);
        rope_token(k, k, angles, settings_.kv_heads, width, table->half, false);
      }
      store_in_block(attention_, token.position, token.blocks, k, v);
    });
  }

  void attend() {
    std::vector<AttentionRow> tokens;
    for (int64_t row = 0; row < count_; ++row) {
      const DecodeRow& token = rows_[static_cast<size_t>(row)];
      tokens.push_back({q_ + row * query_, seen_ + row * query_, token.position, token.blocks});
    }
    attend_blocks(attention_, tokens);
  }

  void activate(int64_t row) {
    const float* normed = normed_ + row * channels_;
    float *gate = gate_ + row * inner_, *up = up_ + row * inner_;
    finish_map(layer_.gate, branches(row).gate, normed, gate);
    finish_map(layer_.up, branches(row).up, normed, up);
    gated_forward(gate, up, gate, inner_, settings_.gate);
  }

  const DecodeLayer& layer_;
  const DecodeSettings& settings_;
  const BlockAttention attention_;
  const std::span<const DecodeRow> rows_;
  float* const x_;
  const int64_t count_, channels_, query_, key_, inner_;
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
  const int64_t count = std::ssize(branches), channels = std::ssize(x) / count,
                vocabulary = head.weight->rows();
  float* normed = scratch<float>(Scratch::kDecode, x.size());
  rms_norm_rows(x.data(), nullptr, norm.data<float>(), nullptr, normed, count, channels, norm_eps);
  multiply(normed, count, std::array{Product{&head, logits.data()}});
  for_each_row(count, [&](int64_t row) {
    finish_map(head, branches[static_cast<size_t>(row)], normed + row * channels,
               logits.data() + row * vocabulary);
  });
}

}  // namespace toolkit::tensor::cpu

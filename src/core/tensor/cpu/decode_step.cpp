#include "core/tensor/cpu/decode_step.h"

#include <algorithm>
#include <array>

#include "core/tensor/cpu/attention_decode.h"
#include "core/tensor/cpu/gated_activation_kernels.h"
#include "core/tensor/cpu/gemv.h"
#include "core/tensor/cpu/linear_layout.h"
#include "core/tensor/cpu/low_rank_kernel.h"
#include "core/tensor/cpu/rms_norm_kernels.h"
#include "core/tensor/cpu/rope_kernels.h"
#include "core/tensor/cpu/scale_columns_kernels.h"
#include "core/tensor/cpu/scratch.h"
#include "mlx/array.h"

namespace toolkit::tensor::cpu {

namespace {

bool is_float(mx::Dtype type) {
  return type == mx::float32 || type == mx::float16 || type == mx::bfloat16;
}

bool is_plain_float32(const mx::array* array) {
  return !array || (array->dtype() == mx::float32 && array->flags().row_contiguous);
}

/// A linear map and where its result goes.
struct Product {
  const LinearTerms* map;
  float* y;
};

template <size_t kCount>
void multiply(const float* x, const std::array<Product, kCount>& products) {
  std::array<GemvMap, kCount> maps;
  for (size_t i = 0; i < kCount; ++i) {
    const LinearTerms& map = *products[i].map;
    maps[i] = {.weight = view_of(*map.weight),
               .y = products[i].y,
               .bias = map.bias && !map.output_scale ? map.bias->data<float>() : nullptr};
  }
  gemv(x, 1, maps);
  for (const Product& product : products) {
    const LinearTerms& map = *product.map;
    if (map.lora) add_low_rank(view_of(*map.lora), x, product.y);
    if (map.output_scale)
      scale_columns_rows(product.y, map.output_scale->data<float>(),
                         map.bias ? map.bias->data<float>() : nullptr, product.y, 1,
                         map.weight->rows());
  }
}

void norm_heads(const mx::array* weight, float* x, int64_t heads, int64_t width, float eps) {
  if (weight) rms_norm_rows(x, nullptr, weight->data<float>(), nullptr, x, heads, width, eps);
}

void add(std::span<float> x, const float* delta) {
  for (size_t i = 0; i < x.size(); ++i) x[i] += delta[i];
}

/// What a layer computes on its way, in one work buffer.
struct Work {
  float *normed, *delta;  // (channels)
  float *q, *seen;        // (heads * width)
  float *gate, *up;       // (inner)

  Work(int64_t channels, int64_t query, int64_t inner) {
    normed = scratch<float>(Scratch::kDecode, static_cast<size_t>(2 * (channels + query + inner)));
    delta = normed + channels;
    q = delta + channels;
    seen = q + query;
    gate = seen + query;
    up = gate + inner;
  }
};

// From the normed input to the output of o.
void attend(const DecodeLayer& layer, const DecodeSettings& s, int position, const Work& work,
            float* keys, float* values) {
  const int64_t width = s.head_dim, row = s.kv_heads * width;
  float* k = keys + position * row;
  multiply(work.normed, std::array{Product{&layer.q, work.q}, Product{&layer.k, k},
                                   Product{&layer.v, values + position * row}});
  norm_heads(layer.q_norm, work.q, s.heads, width, s.norm_eps);
  norm_heads(layer.k_norm, k, s.kv_heads, width, s.norm_eps);
  if (layer.frequencies) {
    const auto table = rope_table({layer.frequencies->data<float>(), layer.frequencies->size()},
                                  layer.rope_scale, position + 1);
    rope_token(work.q, work.q, table->at(position), s.heads, width, table->half, false);
    rope_token(k, k, table->at(position), s.kv_heads, width, table->half, false);
  }
  const AttentionShape shape{.batch = 1,
                             .queries = 1,
                             .keys = position + 1,
                             .heads = s.heads,
                             .kv_heads = s.kv_heads,
                             .width = width,
                             .scale = s.attention_scale,
                             .causal = true,
                             .window = layer.window,
                             .softcap = s.attention_softcap};
  const int64_t first = layer.window > 0 ? std::max(0, position + 1 - layer.window) : 0;
  attention_one_query(shape, work.q, keys, row, values, row, first, position + 1, work.seen,
                      nullptr, 0);
  multiply(work.seen, std::array{Product{&layer.o, work.delta}});
}

}  // namespace

WeightView view_of(const Weight& weight) {
  WeightView v{
      .data = weight.data.data<void>(), .rows = weight.rows(), .columns = weight.columns()};
  if (!weight.quantized()) {
    v.type = float_type(weight.data);
    return v;
  }
  v.scales = weight.scales->data<void>();
  v.biases = weight.biases->data<void>();
  v.group_size = weight.group_size;
  v.bits = weight.bits;
  v.type = float_type(*weight.scales);
  return v;
}

LowRankBranch view_of(const LoraBranch& lora) {
  return {.a = lora.a.data<float>(),
          .b = lora.b.data<float>(),
          .columns = lora.a.shape(0),
          .rank = lora.a.shape(1),
          .rows = lora.b.shape(1),
          .scale = lora.scale};
}

bool can_decode(const LoraBranch& lora) {
  return !lora.frozen_a && lora.dropout == 0.0f && is_plain_float32(&lora.a) &&
         is_plain_float32(&lora.b) && lora.a.is_available() && lora.b.is_available();
}

bool can_decode(const LinearTerms& map) {
  const Weight& weight = *map.weight;
  const auto plain = [](const mx::array& array) {
    return array.is_available() && array.flags().row_contiguous;
  };
  if (!plain(weight.data) || !is_plain_float32(map.bias) || !is_plain_float32(map.output_scale))
    return false;
  if (map.lora && !cpu::can_decode(*map.lora)) return false;
  if (!weight.quantized()) return is_float(weight.data.dtype());
  return weight.biases && plain(*weight.scales) && plain(*weight.biases) &&
         is_float(weight.scales->dtype()) && weight.scales->dtype() == weight.biases->dtype() &&
         supports_packing(weight.bits, weight.group_size);
}

void decode_layer(const DecodeLayer& layer, const DecodeSettings& settings, int position,
                  std::span<float> x, float* keys, float* values) {
  const int64_t channels = static_cast<int64_t>(x.size());
  const float eps = settings.norm_eps;
  const Work work(channels, settings.heads * settings.head_dim, layer.gate.weight->rows());
  rms_norm_rows(x.data(), nullptr, layer.attention_norm->data<float>(), nullptr, work.normed, 1,
                channels, eps);
  attend(layer, settings, position, work, keys, values);
  norm_heads(layer.attention_output_norm, work.delta, 1, channels, eps);
  add(x, work.delta);

  rms_norm_rows(x.data(), nullptr, layer.mlp_norm->data<float>(), nullptr, work.normed, 1, channels,
                eps);
  multiply(work.normed, std::array{Product{&layer.gate, work.gate}, Product{&layer.up, work.up}});
  gated_forward(work.gate, work.up, work.gate, layer.gate.weight->rows(), settings.gate);
  multiply(work.gate, std::array{Product{&layer.down, work.delta}});
  norm_heads(layer.mlp_output_norm, work.delta, 1, channels, eps);
  add(x, work.delta);
}

void decode_head(const mx::array& norm, const LinearTerms& head, float norm_eps,
                 std::span<const float> x, std::span<float> logits) {
  float* normed = scratch<float>(Scratch::kDecode, x.size());
  rms_norm_rows(x.data(), nullptr, norm.data<float>(), nullptr, normed, 1,
                static_cast<int64_t>(x.size()), norm_eps);
  multiply(normed, std::array{Product{&head, logits.data()}});
}

}  // namespace toolkit::tensor::cpu

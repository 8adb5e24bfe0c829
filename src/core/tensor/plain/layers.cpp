#include <cmath>
#include <numbers>
#include <optional>

#include "core/tensor/plain/plain.h"
#include "core/tensor/prepared_weight.h"
#include "mlx/mlx.h"

namespace toolkit::tensor::plain {

namespace {

// x W^T
mx::array product(const mx::array& x, const Weight& w) {
  const auto like_x = [&](const mx::array& array) { return mx::astype(array, x.dtype()); };
  if (!w.quantized()) return mx::matmul(x, mx::transpose(like_x(w.data)));
  Weight packed = w;
  packed.scales = like_x(*w.scales);
  if (w.biases) packed.biases = like_x(*w.biases);
  if (expands_packed(x)) return expanded_product(x, packed);
  return mx::quantized_matmul(x, packed.data, *packed.scales, packed.biases,
                              /*transpose=*/true, packed.group_size, packed.bits);
}

}  // namespace

std::vector<mx::array> linear_group(const mx::array& x, std::span<const LinearTerms> maps) {
  std::vector<mx::array> outputs;
  for (const LinearTerms& map : maps) {
    const bool kept = map.prepared && map.prepared->converted;
    mx::array y = product(x, kept ? *map.prepared->converted : *map.weight);
    if (map.bias && !map.dora) y = mx::add(y, mx::astype(*map.bias, x.dtype()));
    if (map.lora) {
      const LoraBranch& lora = *map.lora;
      const mx::array low = mx::matmul(x, mx::astype(lora.a, x.dtype()));
      y = mx::addmm(y, low, mx::astype(lora.b, x.dtype()), lora.scale);
    }
    if (map.dora) y = scale_columns(y, dora_scale(map), map.bias);
    outputs.push_back(y);
  }
  return outputs;
}

mx::array rms_norm(const mx::array& x, const mx::array& weight, float eps) {
  return mx::fast::rms_norm(x, mx::astype(weight, x.dtype()), eps);
}

mx::array rope(const mx::array& x, const mx::array& frequencies, int offset, float scale) {
  const int tokens = x.shape(1);
  return rope(x, frequencies, mx::reshape(mx::arange(offset, offset + tokens), {1, tokens}), scale);
}

namespace {

// Cosine and sine written out.
mx::array written_rope(const mx::array& x, const mx::array& frequencies, const mx::array& positions,
                       float scale) {
  const int tokens = x.shape(1), half = frequencies.shape(0), width = x.shape(3);
  const mx::array at =
      mx::reshape(mx::astype(positions, mx::float32), {positions.shape(0), tokens, 1, 1});
  const mx::array angles = mx::multiply(at, frequencies);
  const mx::array cosine = mx::multiply(mx::cos(angles), mx::array(scale));
  const mx::array sine = mx::multiply(mx::sin(angles), mx::array(scale));
  const mx::array wide = mx::astype(x, mx::float32);
  const mx::Shape shape = x.shape();
  const mx::array first = mx::slice(wide, {0, 0, 0, 0}, {shape[0], shape[1], shape[2], half});
  const mx::array second =
      mx::slice(wide, {0, 0, 0, half}, {shape[0], shape[1], shape[2], 2 * half});
  std::vector<mx::array> parts = {
      mx::subtract(mx::multiply(first, cosine), mx::multiply(second, sine)),
      mx::add(mx::multiply(second, cosine), mx::multiply(first, sine))};
  if (2 * half < width)
    parts.push_back(mx::slice(wide, {0, 0, 0, 2 * half}, {shape[0], shape[1], shape[2], width}));
  return mx::astype(mx::concatenate(parts, 3), x.dtype());
}

}  // namespace

mx::array rope(const mx::array& x, const mx::array& frequencies, const mx::array& positions,
               float scale) {
  // MLX's op knows no scale, and on CUDA no head this narrow: its blocks would be too deep.
  constexpr int kNarrowHalf = 16;
  if (scale != 1.0f || frequencies.shape(0) < kNarrowHalf)
    return written_rope(x, frequencies, positions, scale);
  // It counts positions up from one offset a batch entry: every token is an entry of its own.
  const int rows = x.shape(0), tokens = x.shape(1), heads = x.shape(2), width = x.shape(3);
  const mx::array offsets = mx::reshape(mx::broadcast_to(positions, {rows, tokens}), {-1});
  const mx::array rotated = mx::fast::rope(
      mx::reshape(x, {rows * tokens, heads, 1, width}), 2 * frequencies.shape(0),
      /*traditional=*/false, std::nullopt, 1.0f, offsets, mx::reciprocal(frequencies));
  return mx::reshape(rotated, x.shape());
}

namespace {

// (B, T): how many tokens of its sample stand before each token, the shared prefix included.
mx::array positions_in_samples(const mx::array& segments, const mx::array& prefix) {
  const int rows = segments.shape(0), tokens = segments.shape(1);
  const mx::array at = mx::reshape(mx::arange(tokens), {1, tokens});
  const mx::array before = mx::slice(segments, {0, 0}, {rows, tokens - 1});
  const mx::array changes = mx::not_equal(mx::slice(segments, {0, 1}, {rows, tokens}), before);
  const mx::array first = mx::concatenate({mx::full({rows, 1}, false), changes}, 1);
  const mx::array begin = mx::cummax(mx::where(first, at, mx::array(0)), 1);
  return mx::add(mx::subtract(at, begin), mx::minimum(begin, mx::reshape(prefix, {rows, 1})));
}

// (B, 1, T, T) booleans for packed rows with a shared prefix.
mx::array shared_prefix_mask(int tokens, const AttentionOptions& options) {
  const mx::array &segments = *options.segments, &prefix = *options.prefix;
  const int rows = segments.shape(0);
  const auto queries = [&](const mx::array& x) { return mx::reshape(x, {rows, 1, tokens, 1}); };
  const auto keys = [&](const mx::array& x) { return mx::reshape(x, {rows, 1, 1, tokens}); };
  const mx::array own = mx::equal(queries(segments), keys(segments));
  const mx::array in_prefix = mx::less(mx::reshape(mx::arange(tokens), {1, 1, 1, tokens}),
                                       mx::reshape(prefix, {rows, 1, 1, 1}));
  const mx::array real = mx::greater_equal(queries(segments), mx::array(0));
  const mx::array at = positions_in_samples(segments, prefix);
  const mx::array distance = mx::subtract(queries(at), keys(at));
  mx::array mask = mx::logical_and(mx::logical_or(own, mx::logical_and(in_prefix, real)),
                                   mx::greater_equal(distance, mx::array(0)));
  if (options.window > 0)
    mask = mx::logical_and(mask, mx::less(distance, mx::array(options.window, mx::int32)));
  return mask;
}

// (B or 1, 1, T, S) booleans: which key each query may see.
mx::array attention_mask(int queries, int keys, const AttentionOptions& options) {
  if (options.prefix) return shared_prefix_mask(queries, options);
  const mx::array query_at = mx::reshape(mx::arange(keys - queries, keys), {1, 1, queries, 1});
  const mx::array key_at = mx::reshape(mx::arange(keys), {1, 1, 1, keys});
  mx::array mask =
      options.causal ? mx::less_equal(key_at, query_at) : mx::full({1, 1, queries, keys}, true);
  if (options.window > 0)
    mask = mx::logical_and(
        mask, mx::less(mx::subtract(query_at, key_at), mx::array(options.window, mx::int32)));
  if (options.segments) {
    const mx::array& segments = *options.segments;
    const int rows = segments.shape(0);
    mask = mx::logical_and(mask, mx::equal(mx::reshape(segments, {rows, 1, queries, 1}),
                                           mx::reshape(segments, {rows, 1, 1, keys})));
  }
  return mask;
}

mx::array pass_mask(int queries, int keys, const AttentionOptions& options) {
  if (!options.masks) return attention_mask(queries, keys, options);
  const auto made = options.masks->by_window.find(options.window);
  if (made != options.masks->by_window.end()) return made->second;
  const mx::array mask = attention_mask(queries, keys, options);
  options.masks->by_window.emplace(options.window, mask);
  return mask;
}

}  // namespace

mx::array attention(const mx::array& q, const mx::array& k, const mx::array& v,
                    const AttentionOptions& options) {
  const int queries = q.shape(1), keys = k.shape(1), heads = q.shape(2), kv_heads = k.shape(2);
  const mx::array qh = mx::transpose(q, {0, 2, 1, 3});
  const mx::array kh = mx::transpose(k, {0, 2, 1, 3});
  const mx::array vh = mx::transpose(v, {0, 2, 1, 3});
  const bool sees_all =
      !options.segments && options.window == 0 && (queries == 1 || !options.causal);
  if (options.softcap == 0.0f) {
    const mx::array out =
        sees_all ? mx::fast::scaled_dot_product_attention(qh, kh, vh, options.scale)
                 : mx::fast::scaled_dot_product_attention(qh, kh, vh, options.scale, "array",
                                                          pass_mask(queries, keys, options));
    return mx::transpose(out, {0, 2, 1, 3});
  }
  const int batch = q.shape(0), width = q.shape(3), group = heads / kv_heads;
  const mx::array grouped = mx::reshape(qh, {batch, kv_heads, group, queries, width});
  mx::array scores = mx::multiply(mx::matmul(grouped, mx::expand_dims(mx::swapaxes(kh, 2, 3), 2)),
                                  mx::array(options.scale, q.dtype()));
  scores = mx::multiply(mx::tanh(mx::divide(scores, mx::array(options.softcap, q.dtype()))),
                        mx::array(options.softcap, q.dtype()));
  if (!sees_all)
    scores = mx::where(mx::expand_dims(pass_mask(queries, keys, options), 1), scores,
                       mx::array(-1e9f, q.dtype()));
  const mx::array out =
      mx::matmul(mx::softmax(scores, -1, /*precise=*/true), mx::expand_dims(vh, 2));
  return mx::transpose(mx::reshape(out, {batch, heads, queries, width}), {0, 2, 1, 3});
}

mx::array gated_activation(const mx::array& gate, const mx::array& up, Gate kind) {
  if (kind == Gate::kSilu) return mx::multiply(mx::multiply(gate, mx::sigmoid(gate)), up);
  const mx::Dtype dtype = gate.dtype();
  const float root = std::sqrt(2.0f * std::numbers::inv_pi_v<float>);
  const mx::array cubic =
      mx::multiply(mx::array(0.044715f, dtype), mx::power(gate, mx::array(3, dtype)));
  const mx::array inner = mx::tanh(mx::multiply(mx::array(root, dtype), mx::add(gate, cubic)));
  const mx::array half = mx::multiply(mx::array(0.5f, dtype), gate);
  return mx::multiply(mx::multiply(half, mx::add(mx::array(1.0f, dtype), inner)), up);
}

mx::array embedding(const Weight& table, const mx::array& ids, mx::Dtype dtype) {
  const auto rows = [&](const mx::array& values) { return mx::take(values, ids, 0); };
  if (!table.quantized()) return mx::astype(rows(table.data), dtype);
  // f16 scales: the product has more digits than f16 holds, so the arithmetic is f32.
  return mx::astype(
      mx::dequantize(rows(table.data), mx::astype(rows(*table.scales), mx::float32),
                     mx::astype(rows(*table.biases), mx::float32), table.group_size, table.bits),
      dtype);
}

mx::array gather_rows(const mx::array& x, const mx::array& rows) {
  return mx::take(x, rows, 0);
}

}  // namespace toolkit::tensor::plain

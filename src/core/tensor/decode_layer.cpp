#include "core/tensor/decode_layer.h"

#include "core/base/error.h"
#include "core/tensor/shapes.h"
#ifdef TOOLKIT_CPU_KERNELS
#include "core/tensor/cpu/decode_step.h"
#include "core/tensor/cpu/embedding_op.h"
#endif

namespace toolkit::tensor {

bool can_decode(const LinearTerms& map) {
#ifdef TOOLKIT_CPU_KERNELS
  return use_cpu_kernels() && cpu::can_decode(map);
#else
  (void)map;
  return false;
#endif
}

bool can_decode(const LoraBranch& lora) {
#ifdef TOOLKIT_CPU_KERNELS
  return use_cpu_kernels() && cpu::can_decode(lora);
#else
  (void)lora;
  return false;
#endif
}

bool can_decode(const DecodeLayer& layer) {
  for (const LinearTerms* map :
       {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down})
    if (!can_decode(*map)) return false;
  for (const mx::array* array :
       {layer.attention_norm, layer.mlp_norm, layer.q_norm, layer.k_norm,
        layer.attention_output_norm, layer.mlp_output_norm, layer.frequencies})
    if (array && !(all_float32({array}) && array->is_available() && array->flags().row_contiguous))
      return false;
  return true;
}

namespace {

void expect(bool fits, const char* what, int64_t wanted, int64_t found) {
  if (!fits)
    fail(ErrorKind::kInternal, "decode_layer: {} must be {}, found {}", what, wanted, found);
}

void check(const DecodeLayer& layer, const DecodeSettings& s, int position, int channels) {
  const auto map = [](const char* name, const LinearTerms& terms, int rows, int columns) {
    expect(terms.weight->rows() == rows, name, rows, terms.weight->rows());
    expect(terms.weight->columns() == columns, name, columns, terms.weight->columns());
  };
  const int inner = layer.gate.weight->rows();
  map("q", layer.q, s.heads * s.head_dim, channels);
  map("k", layer.k, s.kv_heads * s.head_dim, channels);
  map("v", layer.v, s.kv_heads * s.head_dim, channels);
  map("o", layer.o, channels, s.heads * s.head_dim);
  map("gate", layer.gate, inner, channels);
  map("up", layer.up, inner, channels);
  map("down", layer.down, channels, inner);
  expect(position >= 0, "position", 0, position);
}

}  // namespace

void decode_layer(const DecodeLayer& layer, const DecodeSettings& settings, int position,
                  std::span<float> x, float* keys, float* values) {
  check(layer, settings, position, static_cast<int>(x.size()));
#ifdef TOOLKIT_CPU_KERNELS
  cpu::decode_layer(layer, settings, position, x, keys, values);
#else
  (void)keys, (void)values;
  fail(ErrorKind::kInternal, "decode_layer: built without CPU kernels");
#endif
}

void decode_embedding(const Weight& table, int32_t id, float scale, std::span<float> x) {
  expect(static_cast<size_t>(table.columns()) == x.size(), "x", table.columns(),
         static_cast<int64_t>(x.size()));
#ifdef TOOLKIT_CPU_KERNELS
  cpu::read_table_row(table, id, x.data());
  for (float& value : x) value *= scale;
#else
  (void)id, (void)scale;
  fail(ErrorKind::kInternal, "decode_embedding: built without CPU kernels");
#endif
}

void decode_head(const mx::array& norm, const LinearTerms& head, float norm_eps,
                 std::span<const float> x, std::span<float> logits) {
  expect(static_cast<size_t>(head.weight->rows()) == logits.size(), "logits", head.weight->rows(),
         static_cast<int64_t>(logits.size()));
  expect(static_cast<size_t>(head.weight->columns()) == x.size(), "x", head.weight->columns(),
         static_cast<int64_t>(x.size()));
#ifdef TOOLKIT_CPU_KERNELS
  cpu::decode_head(norm, head, norm_eps, x, logits);
#else
  (void)norm, (void)norm_eps;
  fail(ErrorKind::kInternal, "decode_head: built without CPU kernels");
#endif
}

}  // namespace toolkit::tensor

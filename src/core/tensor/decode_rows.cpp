#include "core/tensor/decode_rows.h"

#include "core/base/error.h"
#include "core/tensor/prepared_weight.h"
#ifdef TOOLKIT_CPU_KERNELS
#include "core/tensor/cpu/decode_rows.h"
#include "core/tensor/cpu/decode_step.h"
#include "core/tensor/cpu/fixed_gemm.h"
#endif

namespace toolkit::tensor {

namespace {

void expect(const char* what, int64_t wanted, int64_t found) {
  if (wanted != found)
    fail(ErrorKind::kInternal, "decode_rows: {} must be {}, found {}", what, wanted, found);
}

}  // namespace

std::shared_ptr<const PreparedWeight> prepare_for_rows(
    const Weight& weight, const std::shared_ptr<const PreparedWeight>& prepared) {
#ifdef TOOLKIT_CPU_KERNELS
  if (!can_decode(LinearTerms{.weight = &weight})) return prepared;
  auto arranged = cpu::arrange_weight(cpu::view_of(weight));
  if (!arranged) return prepared;
  auto result =
      prepared ? std::make_shared<PreparedWeight>(*prepared) : std::make_shared<PreparedWeight>();
  result->arranged = std::move(arranged);
  return result;
#else
  (void)weight;
  return prepared;
#endif
}

void decode_rows(const DecodeLayer& layer, const DecodeSettings& settings,
                 const KvBlockShape& blocks, int index, std::span<const DecodeRow> rows,
                 std::span<float> x) {
  if (rows.empty()) return;
  const int64_t channels = layer.q.weight->columns();
  expect("x", std::ssize(rows) * channels, std::ssize(x));
  expect("q", settings.heads * settings.head_dim, layer.q.weight->rows());
  expect("k", blocks.kv_heads * blocks.head_dim, layer.k.weight->rows());
  expect("v", layer.k.weight->rows(), layer.v.weight->rows());
  expect("kv_heads", settings.kv_heads, blocks.kv_heads);
  expect("o", channels, layer.o.weight->rows());
  expect("down", channels, layer.down.weight->rows());
  if (index < 0 || index >= blocks.layers)
    fail(ErrorKind::kInternal, "decode_rows: layer {} of {}", index, blocks.layers);
#ifdef TOOLKIT_CPU_KERNELS
  cpu::decode_rows(layer, settings, blocks, index, rows, x);
#else
  fail(ErrorKind::kInternal, "decode_rows: built without CPU kernels");
#endif
}

void decode_head_rows(const mx::array& norm, const LinearTerms& head, float norm_eps,
                      std::span<const RowBranch> branches, std::span<const float> x,
                      std::span<float> logits) {
  if (branches.empty()) return;
  expect("x of the head", std::ssize(branches) * head.weight->columns(), std::ssize(x));
  expect("logits", std::ssize(branches) * head.weight->rows(), std::ssize(logits));
#ifdef TOOLKIT_CPU_KERNELS
  cpu::decode_head_rows(norm, head, norm_eps, branches, x, logits);
#else
  (void)norm, (void)norm_eps;
  fail(ErrorKind::kInternal, "decode_head_rows: built without CPU kernels");
#endif
}

}  // namespace toolkit::tensor

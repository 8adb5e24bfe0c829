#include "core/tensor/attention.h"

#include "core/base/error.h"
#include "core/tensor/backend.h"
#include "core/tensor/plain/plain.h"
#include "core/tensor/shapes.h"
#ifdef TOOLKIT_CPU_KERNELS
#include "core/tensor/cpu/attention_op.h"
#endif

namespace toolkit::tensor {

namespace {

void check(const mx::array& q, const mx::array& k, const mx::array& v,
           const AttentionOptions& options) {
  const bool sizes = q.ndim() == 4 && k.ndim() == 4 && k.shape() == v.shape() &&
                     q.shape(0) == k.shape(0) && q.shape(3) == k.shape(3) &&
                     k.shape(1) >= q.shape(1) && k.shape(2) > 0 && q.shape(2) % k.shape(2) == 0;
  if (!sizes)
    fail(ErrorKind::kInternal,
         "attention: expected q (B, T, H, D), k and v (B, S, Hkv, D) with S >= T and Hkv dividing "
         "H, found {}, {} "
         "and {}",
         shape_text(q), shape_text(k), shape_text(v));
  if (!(options.scale > 0.0f) || options.softcap < 0.0f || options.window < 0)
    fail(ErrorKind::kInternal,
         "attention: scale {} must be positive, softcap {} and window {} not negative",
         options.scale, options.softcap, options.window);
  const std::optional<mx::array>& prefix = options.prefix;
  if (prefix && (!options.segments || !options.causal || prefix->ndim() != 1 ||
                 prefix->shape(0) != q.shape(0) || prefix->dtype() != mx::int32))
    fail(ErrorKind::kInternal,
         "attention: a prefix must be (B) int32 and needs segments and causal, found {} with q {}",
         shape_text(*prefix), shape_text(q));
  if (!options.segments) return;
  const mx::array& segments = *options.segments;
  if (segments.ndim() != 2 || segments.shape(0) != q.shape(0) || segments.shape(1) != q.shape(1) ||
      segments.dtype() != mx::int32 || k.shape(1) != q.shape(1))
    fail(ErrorKind::kInternal,
         "attention: segments must be (B, T) int32 and S == T, found {} with q {} and k {}",
         shape_text(segments), shape_text(q), shape_text(k));
}

}  // namespace

mx::array attention(const mx::array& q, const mx::array& k, const mx::array& v,
                    const AttentionOptions& options) {
  check(q, k, v, options);
#ifdef TOOLKIT_CPU_KERNELS
  if (use_cpu_kernels() && all_float32({&q, &k, &v})) return cpu::attention(q, k, v, options);
#endif
  return plain::attention(q, k, v, options);
}

}  // namespace toolkit::tensor

#include "engine/plan/serving_plan.h"

#include "engine/plan/held_bytes.h"

namespace toolkit::engine {

ServingPlan plan_serving(models::Decoder& blank,
                         const std::map<std::string, checkpoint::WeightForm>& stored,
                         tensor::Compute compute, int64_t cache_bytes) {
  using Kind = models::ModelParameter::Kind;
  const models::DecoderConfig& model = blank.config();
  ServingPlan plan{.tokenizer = kTokenizerBytesPerToken * model.vocabulary_size,
                   .cache = cache_bytes};
  for (const models::ModelParameter& parameter : blank.parameters()) {
    const auto found = stored.find(parameter.name);
    if (found == stored.end() || parameter.kind == Kind::kNorm || parameter.kind == Kind::kBias) {
      plan.weights += checkpoint::WeightForm{parameter.shape, mx::float32}.bytes();
      continue;
    }
    const checkpoint::WeightForm& form = found->second;
    const bool multiplied = parameter.kind == Kind::kMatrix || model.tied_embeddings;
    plan.weights += form.bytes();
    if (multiplied && compute == tensor::Compute::kInt8)
      plan.weights += static_cast<int64_t>(static_cast<double>(form.elements()) * kInt8CopyBytes);
    if (multiplied && form.packed() && tensor::use_cpu_kernels()) plan.arranged += form.bytes();
  }
  return plan;
}

}  // namespace toolkit::engine

#include "engine/plan/serving_plan.h"

namespace toolkit::engine {

namespace {

// Tokens with their merges and a template, by the size of the vocabulary.
constexpr int64_t kTokenizerPerToken = 700;
// An int8 copy and the copy of its transpose: a byte each, and a scale for 64 of them.
constexpr double kInt8Bytes = 2 * (1.0 + 4.0 / 64);

int64_t elements_of(const mx::Shape& shape) {
  int64_t count = 1;
  for (const auto size : shape) count *= size;
  return count;
}

/// With a scale and a bias for each group.
int64_t packed_bytes(int64_t elements, const checkpoint::WeightForm& form) {
  return elements * form.bits / 8 +
         elements / form.group_size * 2 * static_cast<int64_t>(form.dtype.size());
}

}  // namespace

ServingPlan plan_serving(models::Decoder& blank,
                         const std::map<std::string, checkpoint::WeightForm>& stored,
                         tensor::Compute compute, int64_t cache_bytes) {
  using Kind = models::ModelParameter::Kind;
  const models::DecoderConfig& model = blank.config();
  ServingPlan plan{.tokenizer = kTokenizerPerToken * model.vocabulary_size, .cache = cache_bytes};
  for (const models::ModelParameter& parameter : blank.parameters()) {
    const int64_t elements = elements_of(parameter.shape);
    const auto found = stored.find(parameter.name);
    if (found == stored.end() || parameter.kind == Kind::kNorm || parameter.kind == Kind::kBias) {
      plan.weights += elements * static_cast<int64_t>(sizeof(float));
      continue;
    }
    const checkpoint::WeightForm& form = found->second;
    const bool multiplied = parameter.kind == Kind::kMatrix || model.tied_embeddings;
    const int64_t bytes = form.packed() ? packed_bytes(elements, form)
                                        : elements * static_cast<int64_t>(form.dtype.size());
    plan.weights += bytes;
    if (multiplied && compute == tensor::Compute::kInt8)
      plan.weights += static_cast<int64_t>(static_cast<double>(elements) * kInt8Bytes);
    if (multiplied && form.packed() && tensor::use_cpu_kernels()) plan.arranged += bytes;
  }
  return plan;
}

}  // namespace toolkit::engine

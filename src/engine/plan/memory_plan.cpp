#include "engine/plan/memory_plan.h"

#include <algorithm>

namespace toolkit::engine {

namespace {

constexpr int64_t kFloat = 4;
// Code and libraries with MLX, and tokenizer, template and rows of a usual data set.
constexpr int64_t kProgram = 70'000'000;
// Blocks that fit no request exactly, and what is freed a little after it could be.
constexpr double kSlack = 1.09;
constexpr int64_t kHeadChunk = 256;  // tokens; see tensor::CrossEntropyOptions
// An int8 copy: a byte, and per 64 columns a scale and the ratio its input gradient needs.
constexpr double kInt8Bytes = 1.0 + 6.0 / 64;

int64_t scaled(double value) {
  return static_cast<int64_t>(value);
}

struct Widths {
  explicit Widths(const models::DecoderConfig& m)
      : hidden(m.hidden_size),
        middle(m.intermediate_size),
        queries(int64_t{m.num_heads} * m.head_dim),
        keys(int64_t{m.num_kv_heads} * m.head_dim),
        heads(m.num_heads) {}
  int64_t hidden, middle, queries, keys, heads;

  /// Floats of one token that a layer's backward pass needs: two residual sums and their norms
  /// (what the projections read), rotated q and k, v, attention's output with its logsumexp, gate,
  /// up and their product.
  int64_t kept() const { return 4 * hidden + 2 * queries + 2 * keys + heads + 3 * middle; }
  /// Floats of one token that live for a moment while a layer runs backward: the gradients of what
  /// it kept, those of the residual stream once more.
  int64_t moving() const { return 3 * hidden + 2 * queries + 2 * keys + 3 * middle; }
};

}  // namespace

std::vector<std::pair<std::string, int64_t>> MemoryPlan::parts() const {
  return {{"program", program},         {"weights", weights}, {"trained", trained},
          {"activations", activations}, {"head", head},       {"workspace", workspace}};
}

MemoryPlan plan_memory(const models::DecoderConfig& model, const TrainingNeeds& needs) {
  const Widths widths(model);
  const int64_t layers = needs.trained_layers < 0 ? model.num_layers : needs.trained_layers;
  const int64_t branches =
      model.num_layers > 0 ? needs.branch_ranks / std::max<int64_t>(1, layers) : 0;
  const int64_t layer = widths.kept() + branches;

  MemoryPlan plan{.program = kProgram, .weights = needs.weight_bytes};
  if (needs.compute == tensor::Compute::kInt8)
    plan.weights += scaled(static_cast<double>(needs.linear_elements) * kInt8Bytes);
  // Values of full fine-tuning are the weights themselves.
  plan.trained = scaled(static_cast<double>(needs.trained_elements) *
                        ((needs.trains_weights ? 1 : 2) * kFloat + needs.optimizer_bytes));

  // Between layers: the sum, what is to be added to it, and (measured) one of the two once more.
  const int64_t stream = 3 * widths.hidden;
  const int64_t token = needs.checkpoint_layers ? layers * stream + layer : layers * layer;
  plan.activations = scaled(static_cast<double>(needs.places * token * kFloat) * kSlack);
  plan.workspace = scaled(static_cast<double>(needs.places * widths.moving() * kFloat) * kSlack);
  const int64_t chunk = std::min(kHeadChunk, needs.supervised) * model.vocabulary_size;
  plan.head = (chunk + 3 * needs.supervised * widths.hidden) * kFloat;
  return plan;
}

}  // namespace toolkit::engine

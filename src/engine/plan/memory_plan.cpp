#include "engine/plan/memory_plan.h"

#include <algorithm>

#include "engine/plan/held_bytes.h"

namespace toolkit::engine {

namespace {

constexpr int64_t kFloat = 4;
constexpr int64_t kProgram = 36'000'000;  // code and libraries with MLX, rows
// Fitted to measured peaks (memory_plan_test.cpp). Some of what is kept is gone when the peak
// comes; MLX prepares about ten operations ahead, so the arrays of several moments live at once.
constexpr double kKeptAtPeak = 0.92, kMomentsAtOnce = 4.75;
constexpr int64_t kHeadChunk = 256;  // tokens; see tensor::CrossEntropyOptions

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
  /// The same for the gradient of a length per output: what q, k, attention and the whole middle
  /// put out (v, gate and up are kept anyway).
  int64_t kept_outputs() const { return queries + keys + 2 * hidden; }
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
  const int64_t layer =
      widths.kept() + (needs.learns_lengths ? widths.kept_outputs() : 0) + branches;

  MemoryPlan plan{.program = kProgram + kTokenizerBytesPerToken * model.vocabulary_size,
                  .weights = needs.weight_bytes};
  if (needs.compute == tensor::Compute::kInt8)
    plan.weights += scaled(static_cast<double>(needs.linear_elements) * kInt8CopyBytes);
  // Values of full fine-tuning are the weights themselves.
  plan.trained = scaled(static_cast<double>(needs.trained_elements) *
                        ((needs.trains_weights ? 1 : 2) * kFloat + needs.optimizer_bytes));

  // Between layers: the sum and what is to be added to it.
  const int64_t stream = 2 * widths.hidden;
  const int64_t token = needs.checkpoint_layers ? layers * stream + layer : layers * layer;
  plan.activations = scaled(static_cast<double>(needs.places * token * kFloat) * kKeptAtPeak);
  plan.workspace =
      scaled(static_cast<double>(needs.places * widths.moving() * kFloat) * kMomentsAtOnce);
  const int64_t chunk = std::min(kHeadChunk, needs.supervised) * model.vocabulary_size;
  plan.head = (chunk + 3 * needs.supervised * widths.hidden) * kFloat;
  return plan;
}

}  // namespace toolkit::engine

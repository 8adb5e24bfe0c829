#include "projects/finetune/memory_plan.h"

#include <algorithm>
#include <string>

#include "core/base/error.h"

namespace toolkit::finetune {

namespace {

// What a layer keeps of one token: residual and norm twice, the projections' inputs and outputs,
// rotated queries, gate, up and their product.
int64_t layer_floats(const models::DecoderConfig& m) {
  const int64_t queries = int64_t{m.num_heads} * m.head_dim;
  const int64_t keys = int64_t{m.num_kv_heads} * m.head_dim;
  return 7 * int64_t{m.hidden_size} + 2 * queries + 2 * keys + 3 * int64_t{m.intermediate_size};
}

double gigabytes(int64_t bytes) {
  return static_cast<double>(bytes) / 1e9;
}

}  // namespace

int64_t step_bytes(const models::DecoderConfig& m, int64_t tokens, bool checkpoint_layers) {
  const int64_t layer = layer_floats(m) * 4;
  const int64_t token = checkpoint_layers
                            ? int64_t{m.num_layers} * 2 * m.hidden_size * 4 + 2 * layer
                            : int64_t{m.num_layers} * layer;
  return tokens * token;
}

void check_memory(const models::DecoderConfig& model, int64_t tokens, bool checkpoint_layers,
                  int64_t available_bytes) {
  const int64_t needed = step_bytes(model, tokens, checkpoint_layers);
  if (available_bytes <= 0 || needed <= available_bytes) return;
  const int64_t one = std::max<int64_t>(1, step_bytes(model, 1, checkpoint_layers));
  const int64_t fits = available_bytes / one / 64 * 64;
  std::string ways;
  if (fits >= 64)
    ways = fmt::format("; --batch-tokens and --max-length of at most {} would fit", fits);
  if (!checkpoint_layers && step_bytes(model, tokens, true) <= available_bytes)
    ways += ways.empty() ? "; --checkpoint-layers would fit" : ", or --checkpoint-layers";
  if (ways.empty()) ways = "; choose a smaller model";
  fail(ErrorKind::kOutOfMemory,
       "a step on {} tokens needs about {:.1f} GB beside the model, but {:.1f} GB are free{}",
       tokens, gigabytes(needed), gigabytes(available_bytes), ways);
}

}  // namespace toolkit::finetune

#include "engine/batch/graph_runner.h"

#include <algorithm>
#include <limits>

#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace toolkit::engine {

namespace {

struct CachedSequence : SequenceMemory {
  explicit CachedSequence(const models::DecoderConfig& config) : cache(config) {}
  models::KvCache cache;
  int reserved = 0;  // tokens
};

CachedSequence& cached_sequence(SequenceMemory& memory) {
  return static_cast<CachedSequence&>(memory);
}

int whole_steps(int tokens) {
  constexpr int kStep = models::KvCache::kStep;
  return (tokens + kStep - 1) / kStep * kStep;
}

}  // namespace

GraphRunner::GraphRunner(models::Decoder& model, int64_t cache_bytes)
    : model_(model),
      bytes_per_token_(int64_t{2} * model.config().num_layers * model.config().num_kv_heads *
                       model.config().head_dim * static_cast<int64_t>(sizeof(float))) {
  capacity_ = static_cast<int>(
      std::min<int64_t>(cache_bytes / bytes_per_token_, std::numeric_limits<int>::max() / 2));
}

std::unique_ptr<SequenceMemory> GraphRunner::open() {
  return std::make_unique<CachedSequence>(model_.config());
}

int GraphRunner::recall(SequenceMemory& memory, std::span<const int32_t>, const LoadedAdapter*) {
  return cached_sequence(memory).cache.length();
}

bool GraphRunner::reserve(SequenceMemory& memory, int count) {
  CachedSequence& sequence = cached_sequence(memory);
  const int wanted = std::min(whole_steps(sequence.cache.length() + count), capacity_);
  if (wanted <= sequence.reserved) return sequence.cache.length() + count <= sequence.reserved;
  if (used_ - sequence.reserved + wanted > capacity_) return false;
  used_ += wanted - sequence.reserved;
  sequence.reserved = wanted;
  return sequence.cache.length() + count <= wanted;
}

void GraphRunner::put_on(const LoadedAdapter* adapter) {
  const uint64_t wanted = adapter ? adapter->id : 0;
  if (wanted == adapter_on_) return;
  remove_adapter(model_);
  if (adapter) {
    for (const LayerBranch& branch : adapter->branches) {
      branch.layer->lora = branch.lora;
      branch.layer->dora = branch.dora;
    }
  }
  adapter_on_ = wanted;
}

void GraphRunner::run_part(const StepPart& part) {
  models::KvCache& cache = cached_sequence(*part.memory).cache;
  const int count = static_cast<int>(part.tokens.size()), rows = part.logit_rows;
  const auto vocabulary = static_cast<size_t>(model_.config().vocabulary_size);
  if (count == 1 && rows == 1 &&
      model_.decode_token(part.tokens[0], cache, {part.logits, vocabulary}))
    return;
  const mx::array tokens(part.tokens.data(), {1, count}, mx::int32);
  mx::array hidden = model_.hidden(tokens, {.cache = &cache});
  if (rows == 0) return hidden.eval();
  hidden = mx::slice(hidden, {0, count - rows, 0}, {1, count, hidden.shape(2)});
  mx::array logits = model_.logits(hidden);
  logits.eval();
  std::copy_n(logits.data<float>(), static_cast<size_t>(rows) * vocabulary, part.logits);
}

void GraphRunner::run(std::span<const StepPart> parts) {
  for (const StepPart& part : parts) {
    put_on(part.adapter);
    run_part(part);
  }
  put_on(nullptr);
}

void GraphRunner::truncate(SequenceMemory& memory, int tokens) {
  cached_sequence(memory).cache.truncate(tokens);
}

void GraphRunner::close(std::unique_ptr<SequenceMemory> memory) {
  used_ -= cached_sequence(*memory).reserved;
}

}  // namespace toolkit::engine

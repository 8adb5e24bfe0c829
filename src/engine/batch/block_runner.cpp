#include "engine/batch/block_runner.h"

#include <vector>

#include "models/decode_rows.h"

namespace toolkit::engine {

namespace {

constexpr int kTokens = tensor::KvBlockShape::kTokens;

struct BlockedSequence : SequenceMemory {
  int length = 0;                // tokens with keys and values
  std::vector<uint8_t*> blocks;  // the first of them remembered ones
  std::vector<PrefixBlock*> remembered;
};

BlockedSequence& blocked_sequence(SequenceMemory& memory) {
  return static_cast<BlockedSequence&>(memory);
}

// What is remembered can be taken up at the end of a block, before room for the next is reserved.
bool recalls(const BlockedSequence& sequence) {
  return sequence.length == static_cast<int>(sequence.remembered.size()) * kTokens &&
         sequence.blocks.size() == sequence.remembered.size();
}

uint64_t root_of(const LoadedAdapter* adapter) {
  return adapter ? adapter->id : 0;
}

}  // namespace

BlockRunner::BlockRunner(const models::Decoder& model, int64_t cache_bytes, bool int8)
    : model_(model),
      pool_(models::kv_block_shape(model.config(), int8), cache_bytes),
      prefixes_(pool_) {}

std::unique_ptr<SequenceMemory> BlockRunner::open() {
  return std::make_unique<BlockedSequence>();
}

int BlockRunner::recall(SequenceMemory& memory, std::span<const int32_t> tokens,
                        const LoadedAdapter* adapter) {
  BlockedSequence& sequence = blocked_sequence(memory);
  // The last token is always computed: its logits are wanted.
  while (recalls(sequence) && tokens.size() > static_cast<size_t>(sequence.length + kTokens)) {
    PrefixBlock* before = sequence.remembered.empty() ? nullptr : sequence.remembered.back();
    PrefixBlock* next = prefixes_.find(root_of(adapter), before,
                                       tokens.subspan(static_cast<size_t>(sequence.length)));
    if (!next) break;
    sequence.remembered.push_back(next);
    sequence.blocks.push_back(next->data);
    sequence.length += kTokens;
  }
  return sequence.length;
}

int BlockRunner::next_recall(const SequenceMemory& memory) const {
  const auto& sequence = static_cast<const BlockedSequence&>(memory);
  return recalls(sequence) ? sequence.length + kTokens : 0;
}

uint8_t* BlockRunner::take_block() {
  while (true) {
    if (uint8_t* block = pool_.take()) return block;
    if (!prefixes_.forget_one()) return nullptr;
  }
}

bool BlockRunner::reserve(SequenceMemory& memory, int count) {
  BlockedSequence& sequence = blocked_sequence(memory);
  const auto wanted = static_cast<size_t>((sequence.length + count + kTokens - 1) / kTokens);
  while (sequence.blocks.size() < wanted) {
    uint8_t* block = take_block();
    if (!block) return false;
    sequence.blocks.push_back(block);
  }
  return true;
}

void BlockRunner::run(std::span<const StepPart> parts) {
  std::vector<models::TokenRow> rows;
  size_t logit_rows = 0;
  for (const StepPart& part : parts) {
    const BlockedSequence& sequence = blocked_sequence(*part.memory);
    const auto count = static_cast<int>(part.tokens.size());
    for (int i = 0; i < count; ++i)
      rows.push_back({.id = part.tokens[static_cast<size_t>(i)],
                      .position = sequence.length + i,
                      .blocks = sequence.blocks.data(),
                      .branches = part.adapter ? &part.adapter->table : nullptr,
                      .wants_logits = i >= count - part.logit_rows});
    logit_rows += static_cast<size_t>(part.logit_rows);
  }
  const auto vocabulary = static_cast<size_t>(model_.config().vocabulary_size);
  models::decode_rows(model_, pool_.shape(), rows, {parts[0].logits, logit_rows * vocabulary});
  for (const StepPart& part : parts)
    blocked_sequence(*part.memory).length += static_cast<int>(part.tokens.size());
}

void BlockRunner::truncate(SequenceMemory& memory, int tokens) {
  blocked_sequence(memory).length = tokens;
}

void BlockRunner::remember(SequenceMemory& memory, std::span<const int32_t> tokens,
                           const LoadedAdapter* adapter) {
  BlockedSequence& sequence = blocked_sequence(memory);
  for (size_t i = sequence.remembered.size(); static_cast<int>(i + 1) * kTokens <= sequence.length;
       ++i) {
    PrefixBlock* before = i == 0 ? nullptr : sequence.remembered.back();
    sequence.remembered.push_back(
        prefixes_.add(root_of(adapter), before, tokens.subspan(i * kTokens), sequence.blocks[i]));
    sequence.blocks[i] = sequence.remembered.back()->data;
  }
}

void BlockRunner::close(std::unique_ptr<SequenceMemory> memory) {
  BlockedSequence& sequence = blocked_sequence(*memory);
  for (size_t i = sequence.remembered.size(); i < sequence.blocks.size(); ++i)
    pool_.give_back(sequence.blocks[i]);
  // From the end on: what everybody begins with is forgotten last.
  for (auto block = sequence.remembered.rbegin(); block != sequence.remembered.rend(); ++block)
    prefixes_.release(*block);
}

int BlockRunner::capacity_tokens() const {
  return pool_.limit() * kTokens;
}

int BlockRunner::free_tokens() const {
  return (pool_.limit() - pool_.used() + prefixes_.unused()) * kTokens;
}

int64_t BlockRunner::bytes_per_token() const {
  return pool_.shape().bytes() / kTokens;
}

}  // namespace toolkit::engine

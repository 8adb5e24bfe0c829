#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "engine/batch/adapter_set.h"

namespace toolkit::engine {

/// Where the keys and values of one sequence lie.
class SequenceMemory {
 public:
  virtual ~SequenceMemory() = default;
};

/// The new tokens of one sequence in one pass.
struct StepPart {
  SequenceMemory* memory;
  const LoadedAdapter* adapter;     // null: the model itself
  std::span<const int32_t> tokens;  // at the positions behind those in memory
  int logit_rows = 0;               // of the last so many of them logits are wanted
  float* logits = nullptr;          // (logit_rows, V)
};

/// Runs a model over the new tokens of several sequences at once and keeps their keys and values.
class ModelRunner {
 public:
  virtual ~ModelRunner() = default;

  virtual std::unique_ptr<SequenceMemory> open() = 0;
  /// Takes up what is remembered of the tokens behind those in memory; returns how many are there
  /// now: never all of `tokens`.
  virtual int recall(SequenceMemory& memory, std::span<const int32_t> tokens,
                     const LoadedAdapter* adapter) = 0;
  /// How many tokens would be there if recall() found a little more; 0 where it can find nothing,
  /// whatever is remembered.
  virtual int next_recall(const SequenceMemory& memory) const = 0;
  /// Makes room for `count` more tokens. False: there is none until others end.
  virtual bool reserve(SequenceMemory& memory, int count) = 0;
  /// Room is reserved; the parts' logits lie one behind another.
  virtual void run(std::span<const StepPart> parts) = 0;
  /// Forgets everything behind the first `tokens` tokens.
  virtual void truncate(SequenceMemory& memory, int tokens) = 0;
  /// Lets others recall what is in memory: `tokens`.
  virtual void remember(SequenceMemory& memory, std::span<const int32_t> tokens,
                        const LoadedAdapter* adapter) = 0;
  virtual void close(std::unique_ptr<SequenceMemory> memory) = 0;

  /// Leaves the model without an adapter until the next run.
  virtual void bare() {}

  virtual int capacity_tokens() const = 0;  // of all sequences together
  virtual int free_tokens() const = 0;
  virtual int64_t bytes_used() const = 0;
  virtual int64_t bytes_per_token() const = 0;
  /// Guessing ahead pays: several tokens of one sequence cost little more than one.
  virtual bool runs_rows_together() const = 0;
};

}  // namespace toolkit::engine

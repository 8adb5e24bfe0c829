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

  /// Memory for a sequence that begins with `tokens`; `cached` is set to how many of them need not
  /// be computed: never all.
  virtual std::unique_ptr<SequenceMemory> open(std::span<const int32_t> tokens,
                                               const LoadedAdapter* adapter, int& cached) = 0;
  /// Makes room for `count` more tokens. False: there is none until others end.
  virtual bool reserve(SequenceMemory& memory, int count) = 0;
  virtual void run(std::span<const StepPart> parts) = 0;
  /// Forgets everything behind the first `tokens` tokens.
  virtual void truncate(SequenceMemory& memory, int tokens) = 0;
  /// The sequence, whose tokens in memory were `tokens`, ends or makes way.
  virtual void close(std::unique_ptr<SequenceMemory> memory, std::span<const int32_t> tokens,
                     const LoadedAdapter* adapter) = 0;

  virtual int capacity_tokens() const = 0;  // of all sequences together
  virtual int free_tokens() const = 0;
  virtual int64_t bytes_used() const = 0;
};

}  // namespace toolkit::engine

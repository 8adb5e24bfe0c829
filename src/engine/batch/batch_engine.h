#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/batch/request.h"
#include "engine/language_model.h"

namespace toolkit::engine {

struct BatchOptions {
  int max_sequences = 16;         // generated at once
  int max_queue = 128;            // waiting beside them
  int step_tokens = 256;          // prompt tokens computed in one step, beside one of each sequence
  int context_tokens = 0;         // of one sequence; 0: the model's
  int64_t cache_bytes = 1 << 30;  // keys and values: of running sequences and remembered prefixes
  bool cache_8bit = false;        // keys and values as int8 with a scale per head and token
  bool arrange_weights = true;    // keep packed weights twice, the second time in the order that is
                                  // read twice as fast, where there is memory for it
  int speculate_tokens = 0;       // prompt lookup: as many guessed tokens are checked in one step
};

/// One running or waiting sequence, for monitors: no text.
struct SequenceState {
  uint64_t id;
  std::string adapter;
  bool generating;  // false: waiting or reading its prompt
  int prompt_tokens, computed_tokens, cached_tokens, generated_tokens;
  double age_seconds, tokens_per_second;  // of its last second or so
};

/// What the engine did since it started, and does now.
struct BatchState {
  std::vector<SequenceState> sequences;
  int running = 0, waiting = 0;
  uint64_t prompt_tokens = 0, cached_prompt_tokens = 0, generated_tokens = 0;
  uint64_t requests_finished = 0, requests_cancelled = 0, steps = 0;
  uint64_t draft_tokens = 0, accepted_draft_tokens = 0;
  int64_t cache_bytes_used = 0, cache_bytes_limit = 0, adapter_bytes = 0;
  double tokens_per_second = 0.0;  // all sequences, of the last second or so
};

/// Generates many texts at once from one model: continuous batching (Yu et al. 2022, Orca) on one
/// thread that owns the model, prompts read in pieces between the steps of others, prefixes
/// remembered, a LoRA adapter per sequence. What a sequence says does not depend on what else runs.
class BatchEngine {
 public:
  /// Takes the model, which has no adapter on. Throws Error(kOutOfMemory) with the numbers if the
  /// cache of one sequence does not fit.
  BatchEngine(LanguageModel model, BatchOptions options);
  /// Cancels what runs.
  ~BatchEngine();

  /// Queues a request; returns its id, or nothing if the queue is full. Throws Error(kUserInput)
  /// for an empty prompt, ids the model does not have, one that leaves no room in the context or
  /// never fits the cache, or an adapter that is not loaded.
  std::optional<uint64_t> submit(BatchRequest request, BatchListener listener);
  /// Ends a request within one step as kCancelled; unknown ids are ignored.
  void cancel(uint64_t id);

  /// Reads an adapter (LoRA or DoRA, either layout) beside the model. Throws as apply_adapter does,
  /// Error(kUnsupported) for a full one. Replaces one of that name for new requests.
  void load_adapter(const std::string& name, const std::filesystem::path& folder);
  /// Requests that use it end first. Throws Error(kNotFound).
  void unload_adapter(const std::string& name);
  std::vector<std::string> adapters() const;

  /// Does `work` between two steps, on the thread that owns the model, which has no adapter on
  /// meanwhile, and waits for it; throws what it throws. Answers wait: it should be short.
  void between_steps(const std::function<void()>& work);

  /// Lets what runs and waits finish, for at most `seconds`, then cancels it. Nothing new is taken.
  void drain(double seconds);
  /// False after the thread ended by an error of its own.
  bool healthy() const;
  BatchState state() const;
  /// Of one sequence, prompt and answer together: what was asked for, or as much as the cache
  /// holds.
  int context_tokens() const;
  const LanguageModel& model() const;  // tokenizer, template, config: what never changes

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace toolkit::engine

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/text/tokenizer.h"
#include "engine/batch/adapter_set.h"
#include "engine/batch/batch_engine.h"
#include "engine/batch/model_runner.h"
#include "engine/batch/rate.h"
#include "engine/batch/request.h"
#include "engine/generate/sampling.h"
#include "engine/generate/stop_text.h"
#include "engine/language_model.h"

namespace toolkit::engine {

/// A request on its way: its tokens, how the next one is picked, what its listener has to hear.
class Sequence {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Sequence(uint64_t id, BatchRequest request, BatchListener listener,
           std::shared_ptr<const LoadedAdapter> adapter, const LanguageModel& model, int context);

  uint64_t id() const { return id_; }
  const LoadedAdapter* adapter() const { return adapter_.get(); }
  const std::vector<int32_t>& tokens() const { return tokens_; }  // prompt, then generated
  int prompt_tokens() const { return static_cast<int>(prompt_tokens_); }
  int generated_tokens() const { return static_cast<int>(tokens_.size() - prompt_tokens_); }
  bool generating() const { return generated_tokens() > 0; }
  int most_to_come() const;  // tokens, by max_tokens and the context
  bool finished() const { return finished_; }
  bool cancelled() const { return cancelled_; }
  bool admitted_before() const { return admitted_; }
  /// The grammar's state cannot go back: nothing may be guessed ahead, but what it forces.
  bool constrained() const { return request_.constraint != nullptr; }
  /// Tokens that must follow, at most `most`; see TokenConstraint.
  std::vector<int32_t> forced(int most) const;

  // Kept by the scheduler.
  std::unique_ptr<SequenceMemory> memory;
  int computed = 0;  // tokens whose keys and values are in memory

  void admitted(Time now);
  /// So many tokens are in memory that others have computed; returns how many of the prompt are
  /// new.
  int recalled(int tokens);
  /// Picks the token that follows all tokens; `logits` (V) are scratch afterwards. May finish.
  int32_t take(std::span<float> logits);
  void finish(FinishReason reason, const std::string& error = "");
  /// Tells the listener what is new.
  void tell();
  bool late(Time now) const { return request_.deadline && now >= *request_.deadline; }
  SequenceState state(Time now) const;

 private:
  void restrict_to_constraint(std::span<float> logits) const;
  int32_t pick(std::span<float> logits);
  TokenReport report(std::span<const float> logits, int32_t id) const;
  void add(int32_t id);
  BatchFigures figures(Time now) const;

  const uint64_t id_;
  BatchRequest request_;
  BatchListener listener_;
  std::shared_ptr<const LoadedAdapter> adapter_;
  const LanguageModel& model_;
  const size_t context_, prompt_tokens_;
  std::vector<int32_t> tokens_;
  Sampler sampler_;
  text::StreamDecoder decoder_;
  StopText stops_;
  BatchEvent event_;  // not told yet
  bool finished_ = false, cancelled_ = false, admitted_ = false;
  int cached_ = 0;
  Time submitted_, begun_, first_token_;
  Rate rate_;
};

}  // namespace toolkit::engine

#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "engine/batch/batch_engine.h"
#include "engine/batch/model_runner.h"
#include "engine/batch/sequence.h"

namespace toolkit::engine {

/// Decides step by step what of which sequence is computed: one token of every sequence that
/// generates, and up to step_tokens of prompts, the oldest first. Where memory runs out the
/// youngest sequence makes way and is taken up again later; nothing is lost but time. What two
/// prompts begin with is computed for the older one, the other waits for it. Knows no threads.
class Scheduler {
 public:
  Scheduler(ModelRunner& runner, int vocabulary, const BatchOptions& options);
  ~Scheduler();

  void add(std::unique_ptr<Sequence> sequence);
  void cancel(uint64_t id);
  void finish_all(FinishReason reason, const std::string& error = "");
  bool idle() const { return running_.empty() && waiting_.empty(); }
  /// One pass of the model over what is chosen; listeners hear what came of it.
  void step();

  /// What there is now, without what the engine adds.
  BatchState state() const;

 private:
  using Time = Sequence::Time;
  struct Planned {
    Sequence* sequence;
    std::vector<int32_t> tokens;
    int logit_rows;
  };

  void end_late(Time now);
  void admit(Time now);
  void plan();
  int tokens_to_plan(Sequence& sequence, int budget);
  bool is_computed_beside(const Sequence& sequence) const;
  std::vector<int32_t> guess(Sequence& sequence, int budget);
  void make_way();
  void recall(Sequence& sequence);
  void close(Sequence& sequence);
  void run();
  void deliver(const Planned& planned, float* logits);
  void take(const Planned& planned, float* logits);
  void tell(Sequence& sequence);
  void retire();

  ModelRunner& runner_;
  const size_t vocabulary_;
  const BatchOptions options_;
  std::deque<std::unique_ptr<Sequence>> waiting_;
  std::vector<std::unique_ptr<Sequence>> running_;  // the oldest first
  std::vector<Planned> planned_;
  std::vector<float> logits_;
  BatchState totals_;
  Rate rate_;
};

}  // namespace toolkit::engine

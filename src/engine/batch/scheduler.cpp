#include "engine/batch/scheduler.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/log.h"

namespace toolkit::engine {

namespace {

constexpr size_t kGrowthTokens = 32;

}  // namespace

Scheduler::Scheduler(ModelRunner& runner, int vocabulary, const BatchOptions& options)
    : runner_(runner), vocabulary_(static_cast<size_t>(vocabulary)), options_(options) {}

Scheduler::~Scheduler() {
  finish_all(FinishReason::kCancelled);
}

void Scheduler::add(std::unique_ptr<Sequence> sequence) {
  waiting_.push_back(std::move(sequence));
}

void Scheduler::tell(Sequence& sequence) {
  try {
    sequence.tell();
  } catch (const std::exception& error) {
    log_error("a listener of the engine threw: {}", error.what());
    sequence.finish(FinishReason::kError, error.what());
  }
}

void Scheduler::cancel(uint64_t id) {
  for (auto& sequence : running_)
    if (sequence->id() == id) sequence->finish(FinishReason::kCancelled);
  for (auto& sequence : waiting_)
    if (sequence->id() == id) sequence->finish(FinishReason::kCancelled);
  retire();
}

void Scheduler::finish_all(FinishReason reason, const std::string& error) {
  for (auto& sequence : running_) sequence->finish(reason, error);
  for (auto& sequence : waiting_) sequence->finish(reason, error);
  retire();
}

void Scheduler::end_late(Time now) {
  for (auto& sequence : running_)
    if (sequence->late(now)) sequence->finish(FinishReason::kTimeout);
  for (auto& sequence : waiting_)
    if (sequence->late(now)) sequence->finish(FinishReason::kTimeout);
  retire();
}

void Scheduler::retire() {
  const auto end = [&](std::unique_ptr<Sequence>& sequence) {
    if (!sequence->finished()) return false;
    tell(*sequence);
    if (sequence->memory)
      runner_.close(std::move(sequence->memory),
                    std::span(sequence->tokens()).first(static_cast<size_t>(sequence->computed)),
                    sequence->adapter());
    ++(sequence->cancelled() ? totals_.requests_cancelled : totals_.requests_finished);
    return true;
  };
  std::erase_if(running_, end);
  std::erase_if(waiting_, end);
}

void Scheduler::admit(Time now) {
  while (!waiting_.empty() && static_cast<int>(running_.size()) < options_.max_sequences) {
    Sequence& next = *waiting_.front();
    // Those that run will grow: a sequence that has to make way again at once gains nothing.
    const int needed = static_cast<int>(next.tokens().size() + running_.size() * kGrowthTokens);
    if (!running_.empty() && needed > runner_.free_tokens()) return;
    int cached = 0;
    next.memory = runner_.open(next.tokens(), next.adapter(), cached);
    if (!next.admitted_before()) {
      totals_.prompt_tokens += static_cast<uint64_t>(next.prompt_tokens());
      totals_.cached_prompt_tokens += static_cast<uint64_t>(cached);
    }
    next.admitted(cached, now);
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

void Scheduler::make_way() {
  Sequence& youngest = *running_.back();
  runner_.close(std::move(youngest.memory),
                std::span(youngest.tokens()).first(static_cast<size_t>(youngest.computed)),
                youngest.adapter());
  youngest.computed = 0;
  waiting_.push_front(std::move(running_.back()));
  running_.pop_back();
}

// How many tokens of a sequence this step computes: 0 if it has to wait.
int Scheduler::tokens_to_plan(Sequence& sequence, int budget) {
  const int left = static_cast<int>(sequence.tokens().size()) - sequence.computed;
  const int wanted = left == 1 ? 1 : std::min(left, budget);
  if (wanted == 0) return 0;
  while (!runner_.reserve(*sequence.memory, wanted)) {
    if (running_.back().get() != &sequence) {
      make_way();
    } else if (running_.size() > 1) {
      if (left == 1) make_way();
      return 0;
    } else {
      sequence.finish(FinishReason::kContextFull);
      return 0;
    }
  }
  return wanted;
}

void Scheduler::plan() {
  planned_.clear();
  int budget = options_.step_tokens;
  for (size_t i = 0; i < running_.size(); ++i) {
    Sequence& sequence = *running_[i];
    const int count = tokens_to_plan(sequence, budget);
    if (count == 0) continue;
    const auto begin = sequence.tokens().begin() + sequence.computed;
    const bool last = sequence.computed + count == static_cast<int>(sequence.tokens().size());
    if (count > 1 || !last) budget -= count;
    planned_.push_back({&sequence, {begin, begin + count}, last ? 1 : 0});
  }
}

void Scheduler::run() {
  size_t rows = 0;
  for (const Planned& planned : planned_) rows += static_cast<size_t>(planned.logit_rows);
  logits_.resize(rows * vocabulary_);
  std::vector<StepPart> parts;
  float* logits = logits_.data();
  for (const Planned& planned : planned_) {
    parts.push_back({.memory = planned.sequence->memory.get(),
                     .adapter = planned.sequence->adapter(),
                     .tokens = planned.tokens,
                     .logit_rows = planned.logit_rows,
                     .logits = logits});
    logits += static_cast<size_t>(planned.logit_rows) * vocabulary_;
  }
  runner_.run(parts);
  for (size_t i = 0; i < parts.size(); ++i) {
    planned_[i].sequence->computed += static_cast<int>(planned_[i].tokens.size());
    if (planned_[i].logit_rows > 0) deliver(planned_[i], parts[i].logits);
  }
}

void Scheduler::deliver(const Planned& planned, float* logits) {
  Sequence& sequence = *planned.sequence;
  try {
    const int before = sequence.generated_tokens();
    sequence.take({logits, vocabulary_});
    const int made = sequence.generated_tokens() - before;
    totals_.generated_tokens += static_cast<uint64_t>(made);
    rate_.add(made, std::chrono::steady_clock::now());
  } catch (const std::exception& error) {
    sequence.finish(FinishReason::kError, error.what());
  }
  if (!sequence.finished()) tell(sequence);
}

void Scheduler::step() {
  const Time now = std::chrono::steady_clock::now();
  end_late(now);
  admit(now);
  plan();
  if (!planned_.empty()) {
    run();
    ++totals_.steps;
  }
  retire();
}

BatchState Scheduler::state() const {
  const Time now = std::chrono::steady_clock::now();
  BatchState state = totals_;
  for (const auto& sequence : running_) state.sequences.push_back(sequence->state(now));
  for (const auto& sequence : waiting_) state.sequences.push_back(sequence->state(now));
  state.running = static_cast<int>(running_.size());
  state.waiting = static_cast<int>(waiting_.size());
  state.cache_bytes_used = runner_.bytes_used();
  state.tokens_per_second = rate_.per_second(now);
  return state;
}

}  // namespace toolkit::engine

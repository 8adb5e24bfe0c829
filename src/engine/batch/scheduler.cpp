#include "engine/batch/scheduler.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/log.h"
#include "engine/batch/speculation.h"

namespace toolkit::engine {

namespace {

constexpr size_t kGrowthTokens = 32;
constexpr size_t kFewSequences = 2;  // beside more of them guesses cost more than they save
constexpr int kForcedTokens = 64;    // in one step: each has its row of logits

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
    if (sequence->memory) close(*sequence);
    ++(sequence->cancelled() ? totals_.requests_cancelled : totals_.requests_finished);
    return true;
  };
  std::erase_if(running_, end);
  std::erase_if(waiting_, end);
}

void Scheduler::recall(Sequence& sequence) {
  const int fresh =
      sequence.recalled(runner_.recall(*sequence.memory, sequence.tokens(), sequence.adapter()));
  totals_.cached_prompt_tokens += static_cast<uint64_t>(fresh);
}

void Scheduler::close(Sequence& sequence) {
  runner_.close(std::move(sequence.memory));
  sequence.computed = 0;
}

void Scheduler::admit(Time now) {
  while (!waiting_.empty() && static_cast<int>(running_.size()) < options_.max_sequences) {
    Sequence& next = *waiting_.front();
    // Those that run will grow: a sequence that has to make way again at once gains nothing.
    const int needed = static_cast<int>(next.tokens().size() + running_.size() * kGrowthTokens);
    if (!running_.empty() && needed > runner_.free_tokens()) return;
    if (!next.admitted_before())
      totals_.prompt_tokens += static_cast<uint64_t>(next.prompt_tokens());
    next.admitted(now);
    next.memory = runner_.open();
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

void Scheduler::make_way() {
  close(*running_.back());
  waiting_.push_front(std::move(running_.back()));
  running_.pop_back();
}

// How many of a sequence's tokens this step computes: 0 if it has to wait.
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

// Whether an older sequence computes in this step what this one needs next, and is to share it.
bool Scheduler::is_computed_beside(const Sequence& sequence) const {
  const int until = runner_.next_recall(*sequence.memory);
  const std::vector<int32_t>& tokens = sequence.tokens();
  if (until == 0 || static_cast<int>(tokens.size()) <= until) return false;
  return std::any_of(planned_.begin(), planned_.end(), [&](const Planned& planned) {
    const Sequence& other = *planned.sequence;
    return other.adapter() == sequence.adapter() && other.computed < until &&
           static_cast<int>(other.tokens().size()) >= until &&
           std::equal(tokens.begin(), tokens.begin() + until, other.tokens().begin());
  });
}

// Tokens that may follow the newest one, to be checked in the same pass: those that a constraint
// leaves no choice about, else guesses.
std::vector<int32_t> Scheduler::guess(Sequence& sequence, int budget) {
  const int most = sequence.most_to_come() - 1;
  std::vector<int32_t> guessed;
  if (sequence.constrained())
    guessed = sequence.forced(std::min({most, budget, kForcedTokens}));
  else if (options_.speculate_tokens > 0 && running_.size() <= kFewSequences &&
           runner_.runs_rows_together())
    guessed = look_up_continuation(sequence.tokens(), std::min(options_.speculate_tokens, most));
  if (!runner_.reserve(*sequence.memory, static_cast<int>(guessed.size()) + 1)) return {};
  return guessed;
}

void Scheduler::plan() {
  planned_.clear();
  int budget = options_.step_tokens;
  for (size_t i = 0; i < running_.size(); ++i) {
    Sequence& sequence = *running_[i];
    const int size = static_cast<int>(sequence.tokens().size());
    if (sequence.computed + 1 < size && budget > 0) recall(sequence);
    if (is_computed_beside(sequence)) continue;
    const int count = tokens_to_plan(sequence, budget);
    if (count == 0) continue;
    const auto begin = sequence.tokens().begin() + sequence.computed;
    const bool last = sequence.computed + count == size;
    Planned planned{&sequence, {begin, begin + count}, last ? 1 : 0};
    if (count > 1 || !last) budget -= count;
    if (count == 1 && last && sequence.generating()) {
      const std::vector<int32_t> guessed = guess(sequence, budget);
      planned.tokens.insert(planned.tokens.end(), guessed.begin(), guessed.end());
      planned.logit_rows += static_cast<int>(guessed.size());
      if (sequence.constrained())
        budget -= static_cast<int>(guessed.size());
      else
        totals_.draft_tokens += guessed.size();
    }
    planned_.push_back(std::move(planned));
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
  for (size_t i = 0; i < parts.size(); ++i) deliver(planned_[i], parts[i].logits);
}

// Picks a token from each row of logits, as long as the next row's was guessed right.
void Scheduler::take(const Planned& planned, float* logits) {
  Sequence& sequence = *planned.sequence;
  const size_t first = planned.tokens.size() - static_cast<size_t>(planned.logit_rows);
  for (size_t at = first; at < planned.tokens.size(); ++at, logits += vocabulary_) {
    ++sequence.computed;
    const int32_t id = sequence.take({logits, vocabulary_});
    if (sequence.finished() || at + 1 == planned.tokens.size() || planned.tokens[at + 1] != id)
      return;
    if (!sequence.constrained()) ++totals_.accepted_draft_tokens;
  }
}

void Scheduler::deliver(const Planned& planned, float* logits) {
  Sequence& sequence = *planned.sequence;
  const int computed = sequence.computed + static_cast<int>(planned.tokens.size()),
            generated = sequence.generated_tokens();
  sequence.computed = computed - planned.logit_rows;
  try {
    if (planned.logit_rows > 0) take(planned, logits);
  } catch (const std::exception& error) {
    sequence.finish(FinishReason::kError, error.what());
  }
  if (sequence.computed < computed) runner_.truncate(*sequence.memory, sequence.computed);
  runner_.remember(*sequence.memory,
                   std::span(sequence.tokens()).first(static_cast<size_t>(sequence.computed)),
                   sequence.adapter());
  const int made = sequence.generated_tokens() - generated;
  totals_.generated_tokens += static_cast<uint64_t>(made);
  rate_.add(made, std::chrono::steady_clock::now());
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

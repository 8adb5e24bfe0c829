#include "engine/batch/sequence.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/base/error.h"

namespace toolkit::engine {

namespace {

double seconds(Sequence::Time from, Sequence::Time to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

Sequence::Sequence(uint64_t id, BatchRequest request, BatchListener listener,
                   std::shared_ptr<const LoadedAdapter> adapter, const LanguageModel& model,
                   int context)
    : id_(id),
      request_(std::move(request)),
      listener_(std::move(listener)),
      adapter_(std::move(adapter)),
      model_(model),
      context_(static_cast<size_t>(context)),
      prompt_tokens_(request_.prompt.size()),
      tokens_(request_.prompt),
      sampler_(request_.sampling),
      decoder_(model.tokenizer),
      stops_(request_.stop_texts),
      submitted_(std::chrono::steady_clock::now()) {}

void Sequence::admitted(Time now) {
  if (admitted_) return;  // comes back after it made way
  admitted_ = true;
  begun_ = now;
}

int Sequence::recalled(int tokens) {
  const int fresh = generating() ? 0 : tokens - computed;
  computed = tokens;
  cached_ = std::min(cached_ + fresh, prompt_tokens());
  return fresh;
}

std::vector<int32_t> Sequence::forced(int most) const {
  if (!request_.constraint || most <= 0) return {};
  return request_.constraint->forced(static_cast<size_t>(most));
}

int Sequence::most_to_come() const {
  return std::min(request_.max_tokens - generated_tokens(),
                  static_cast<int>(context_ - tokens_.size()));
}

void Sequence::restrict_to_constraint(std::span<float> logits) const {
  std::vector<uint32_t> bits((logits.size() + 31) / 32);
  request_.constraint->allowed(bits);
  bool any = false;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (bits[i / 32] >> (i % 32) & 1)
      any = true;
    else
      logits[i] = -std::numeric_limits<float>::infinity();
  }
  if (!any) fail(ErrorKind::kUserInput, "the grammar allows no token here: it cannot be obeyed");
}

int32_t Sequence::pick(std::span<float> logits) {
  if (request_.constraint) restrict_to_constraint(logits);
  return sampler_.pick(logits, tokens_, prompt_tokens_);
}

TokenReport Sequence::report(std::span<const float> logits, int32_t id) const {
  const float highest = *std::max_element(logits.begin(), logits.end());
  double total = 0.0;
  for (const float logit : logits) total += std::exp(logit - highest);
  const float log_total = highest + static_cast<float>(std::log(total));
  const auto entry = [&](int32_t token) {
    return TokenLogprob{token, model_.tokenizer->token_bytes(token),
                        logits[static_cast<size_t>(token)] - log_total};
  };
  TokenReport report{entry(id), {}};
  const size_t count = std::min(logits.size(), static_cast<size_t>(request_.top_logprobs));
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto last = order.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(order.begin(), last, order.end(), [&](int32_t a, int32_t b) {
    const float left = logits[static_cast<size_t>(a)], right = logits[static_cast<size_t>(b)];
    return left != right ? left > right : a < b;
  });
  for (auto at = order.begin(); at != last; ++at) report.top.push_back(entry(*at));
  return report;
}

int32_t Sequence::take(std::span<float> logits) {
  const Time now = std::chrono::steady_clock::now();
  std::vector<float> raw;
  if (request_.top_logprobs >= 0) raw.assign(logits.begin(), logits.end());
  const int32_t id = pick(logits);
  if (!generating()) first_token_ = now;
  const std::vector<int32_t>& stops = model_.stop_ids;
  if (!request_.ignore_stop_ids && std::find(stops.begin(), stops.end(), id) != stops.end()) {
    finish(FinishReason::kStopToken);
    return id;
  }
  if (!raw.empty()) event_.tokens.push_back(report(raw, id));
  rate_.add(1, now);
  add(id);
  return id;
}

void Sequence::add(int32_t id) {
  tokens_.push_back(id);
  event_.text += stops_.push(decoder_.push(id));
  if (stops_.found()) return finish(FinishReason::kStopText);
  if (request_.constraint) {
    request_.constraint->accept(id);
    if (request_.constraint->complete()) return finish(FinishReason::kStopToken);
  }
  if (generated_tokens() >= request_.max_tokens) return finish(FinishReason::kMaxTokens);
  if (tokens_.size() >= context_) finish(FinishReason::kContextFull);
}

void Sequence::finish(FinishReason reason, const std::string& error) {
  if (finished_) return;
  finished_ = true;
  if (!stops_.found()) {
    event_.text += stops_.push(decoder_.finish());
    event_.text += stops_.finish();
    if (stops_.found() && reason != FinishReason::kError) reason = FinishReason::kStopText;
  }
  cancelled_ = reason == FinishReason::kCancelled;
  event_.finish = reason;
  event_.error = error;
}

BatchFigures Sequence::figures(Time now) const {
  BatchFigures figures{.prompt_tokens = prompt_tokens(),
                       .cached_tokens = cached_,
                       .generated_tokens = generated_tokens()};
  figures.queue_seconds = seconds(submitted_, admitted_ ? begun_ : now);
  if (admitted_) figures.prompt_seconds = seconds(begun_, generating() ? first_token_ : now);
  if (generating()) figures.generation_seconds = seconds(first_token_, now);
  return figures;
}

void Sequence::tell() {
  if (event_.text.empty() && event_.tokens.empty() && !event_.finish) return;
  event_.figures = figures(std::chrono::steady_clock::now());
  listener_(event_);
  event_ = {};
}

SequenceState Sequence::state(Time now) const {
  return {.id = id_,
          .adapter = adapter_ ? adapter_->name : "",
          .generating = admitted_ && generating(),
          .prompt_tokens = prompt_tokens(),
          .computed_tokens = computed,
          .cached_tokens = cached_,
          .generated_tokens = generated_tokens(),
          .age_seconds = seconds(submitted_, now),
          .tokens_per_second = rate_.per_second(now)};
}

}  // namespace toolkit::engine

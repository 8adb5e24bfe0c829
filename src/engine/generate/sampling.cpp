#include "engine/generate/sampling.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/base/error.h"

namespace toolkit::engine {

namespace {

// e^x for x <= 0, relative error below 1e-6, in plain operations that a compiler makes vectors of.
float exp_of_negative(float x) {
  constexpr float kLowest = -87.0f;
  const float y = (x >= kLowest ? x : kLowest) * 1.44269504089f;
  const int32_t n = static_cast<int32_t>(y - 0.5f);  // rounds to the nearest: y is negative
  const float r = (y - static_cast<float>(n)) * 0.69314718056f;
  const float p =
      1.0f + r * (1.0f + r * (0.5f + r * (1.0f / 6 +
                                          r * (1.0f / 24 + r * (1.0f / 120 + r * (1.0f / 720))))));
  const float power = std::bit_cast<float>((n + 127) << 23);
  return x >= kLowest ? p * power : 0.0f;
}

}  // namespace

int32_t argmax(std::span<const float> values) {
  // Several maxima side by side have no order among them that the compiler must keep; only the
  // first block that holds the largest is searched.
  constexpr size_t kLanes = 32, kBlock = 2048;
  float highest = -INFINITY;
  size_t found = 0;
  for (size_t begin = 0; begin < values.size(); begin += kBlock) {
    const std::span<const float> block =
        values.subspan(begin, std::min(kBlock, values.size() - begin));
    float lanes[kLanes];
    std::fill_n(lanes, kLanes, -INFINITY);
    size_t i = 0;
    for (; i + kLanes <= block.size(); i += kLanes)
      for (size_t j = 0; j < kLanes; ++j)
        lanes[j] = block[i + j] > lanes[j] ? block[i + j] : lanes[j];
    for (; i < block.size(); ++i) lanes[0] = block[i] > lanes[0] ? block[i] : lanes[0];
    const float top = *std::max_element(lanes, lanes + kLanes);
    if (top > highest) highest = top, found = begin;
  }
  for (size_t i = found; i < values.size(); ++i)
    if (values[i] == highest) return static_cast<int32_t>(i);
  return -1;
}

Sampler::Sampler(const SamplingOptions& options)
    : options_(options), random_(options.seed), most_surprise_(2.0 * options.mirostat_tau) {}

int32_t Sampler::pick(std::span<float> logits, std::span<const int32_t> history,
                      size_t prompt_tokens) {
  for (const auto& [token, bias] : options_.logit_bias)
    if (token >= 0 && static_cast<size_t>(token) < logits.size())
      logits[static_cast<size_t>(token)] += bias;
  if (options_.repetition_penalty != 1.0) penalize(logits, history);
  if (options_.presence_penalty != 0.0 || options_.frequency_penalty != 0.0)
    penalize_generated(logits, history.subspan(prompt_tokens));
  const int32_t best = argmax(logits);
  if (best < 0 || !std::isfinite(logits[static_cast<size_t>(best)]))
    fail(ErrorKind::kInternal,
         "the model's output is not a number; are the weights or the adapter damaged?");
  if (options_.temperature <= 0.0) return best;
  if (options_.mirostat_tau > 0.0) {
    weigh(logits, logits[static_cast<size_t>(best)]);
    return draw_by_surprise();
  }
  keep_candidates(logits, logits[static_cast<size_t>(best)]);
  return draw();
}

void Sampler::penalize(std::span<float> logits, std::span<const int32_t> history) const {
  const size_t window = std::min(history.size(), static_cast<size_t>(options_.repetition_window));
  std::vector<int32_t> recent(history.end() - static_cast<std::ptrdiff_t>(window), history.end());
  std::sort(recent.begin(), recent.end());
  recent.erase(std::unique(recent.begin(), recent.end()), recent.end());
  const float penalty = static_cast<float>(options_.repetition_penalty);
  for (const int32_t token : recent) {
    float& logit = logits[static_cast<size_t>(token)];
    logit = logit > 0.0f ? logit / penalty : logit * penalty;
  }
}

void Sampler::penalize_generated(std::span<float> logits,
                                 std::span<const int32_t> generated) const {
  std::vector<int32_t> tokens(generated.begin(), generated.end());
  std::sort(tokens.begin(), tokens.end());
  for (auto at = tokens.begin(); at != tokens.end();) {
    const auto end = std::upper_bound(at, tokens.end(), *at);
    logits[static_cast<size_t>(*at)] -= static_cast<float>(
        options_.presence_penalty + options_.frequency_penalty * static_cast<double>(end - at));
    at = end;
  }
}

void Sampler::weigh(std::span<const float> logits, float highest) {
  const float per_degree = static_cast<float>(1.0 / options_.temperature);
  weights_.resize(logits.size());
  for (size_t i = 0; i < logits.size(); ++i)
    weights_[i] = exp_of_negative((logits[i] - highest) * per_degree);
}

/// The tokens of at least that weight. False if top_k or top_p may want more than these.
bool Sampler::collect(float least, double total) {
  candidates_.clear();
  double reached = 0.0;
  for (size_t i = 0; i < weights_.size(); ++i) {
    if (weights_[i] < least) continue;
    candidates_.emplace_back(weights_[i], static_cast<int32_t>(i));
    reached += weights_[i];
  }
  if (options_.top_k > 0) return candidates_.size() >= static_cast<size_t>(options_.top_k);
  return options_.top_p < 1.0 && reached >= options_.top_p * total;
}

void Sampler::keep_candidates(std::span<const float> logits, float highest) {
  constexpr float kStrong = 1e-4f;  // few tokens are that likely, and mostly they are enough
  weigh(logits, highest);
  const float floor = std::max(static_cast<float>(options_.min_p), 1e-37f);
  const bool every = options_.top_k <= 0 && options_.top_p >= 1.0;
  double all = 0.0;
  if (!every)
    for (const float weight : weights_) all += weight >= floor ? weight : 0.0f;
  if (every || floor >= kStrong || !collect(kStrong, all)) collect(floor, all);
  const auto likelier = [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  };
  if (options_.top_k > 0 && candidates_.size() > static_cast<size_t>(options_.top_k)) {
    const auto last = candidates_.begin() + options_.top_k;
    std::nth_element(candidates_.begin(), last, candidates_.end(), likelier);
    candidates_.erase(last, candidates_.end());
  }
  if (options_.top_p >= 1.0) return;
  double total = options_.top_k > 0 ? 0.0 : all;
  if (options_.top_k > 0)
    for (const auto& [weight, token] : candidates_) total += weight;
  // A heap gives the likeliest ones first without sorting the tail nobody needs.
  const auto below = [&](const auto& a, const auto& b) { return likelier(b, a); };
  std::make_heap(candidates_.begin(), candidates_.end(), below);
  auto end = candidates_.end();
  double reached = 0.0;
  while (end != candidates_.begin()) {
    std::pop_heap(candidates_.begin(), end, below);
    reached += (--end)->first;
    if (reached >= options_.top_p * total) break;
  }
  candidates_.erase(candidates_.begin(), end);
}

// As llama.cpp does it: what was drawn surprises by its share of the candidates.
int32_t Sampler::draw_by_surprise() {
  double total = 0.0;
  for (const float weight : weights_) total += weight;
  // The likeliest one, of weight 1, stays in any case.
  collect(static_cast<float>(std::min(1.0, total * std::exp2(-most_surprise_))), total);
  double kept = 0.0;
  for (const auto& [weight, token] : candidates_) kept += weight;
  const int32_t token = draw();
  const double surprise = std::log2(kept / weights_[static_cast<size_t>(token)]);
  most_surprise_ -= options_.mirostat_eta * (surprise - options_.mirostat_tau);
  return token;
}

int32_t Sampler::draw() {
  double total = 0.0;
  for (const auto& [weight, token] : candidates_) total += weight;
  double left = random_.uniform() * total;
  for (const auto& [weight, token] : candidates_) {
    left -= weight;
    if (left < 0.0) return token;
  }
  return candidates_.back().second;
}

}  // namespace toolkit::engine

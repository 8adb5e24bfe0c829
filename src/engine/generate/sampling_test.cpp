#include "engine/generate/sampling.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <set>

#include "core/base/error.h"

namespace toolkit::engine {

namespace {

const std::vector<float> kLogits = {1.0f, 3.0f, 2.0f, -1.0f, 0.0f};

std::vector<int> counts_of(const SamplingOptions& options, int draws) {
  Sampler sampler(options);
  std::vector<int> counts(kLogits.size(), 0);
  for (int i = 0; i < draws; ++i) {
    std::vector<float> logits = kLogits;
    ++counts[static_cast<size_t>(sampler.pick(logits, {}))];
  }
  return counts;
}

std::set<int> support_of(const SamplingOptions& options) {
  const std::vector<int> counts = counts_of(options, 3000);
  std::set<int> support;
  for (size_t i = 0; i < counts.size(); ++i)
    if (counts[i] > 0) support.insert(static_cast<int>(i));
  return support;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("argmax takes the first of equals") {
    CHECK(argmax(std::vector<float>{0.0f, 5.0f, 5.0f}) == 1);
    CHECK(argmax(std::vector<float>{-2.0f}) == 0);
    std::vector<float> many(49152, -1.0f);
    many[40001] = 0.5f;
    CHECK(argmax(many) == 40001);
  }

  TEST_CASE("temperature 0 is greedy") {
    Sampler sampler({.temperature = 0.0});
    std::vector<float> logits = kLogits;
    CHECK(sampler.pick(logits, {}) == 1);
  }

  TEST_CASE("draws follow softmax of logits over temperature") {
    const int draws = 40000;
    const std::vector<int> counts = counts_of({.temperature = 2.0, .seed = 5}, draws);
    double total = 0.0;
    for (const float logit : kLogits) total += std::exp(logit / 2.0);
    for (size_t i = 0; i < counts.size(); ++i) {
      const double expected = std::exp(kLogits[i] / 2.0) / total;
      CHECK(std::abs(counts[i] / double(draws) - expected) < 4.0 * std::sqrt(expected / draws));
    }
  }

  TEST_CASE("top-k, top-p and min-p limit what can be drawn") {
    CHECK(support_of({.temperature = 1.0}) == std::set<int>{0, 1, 2, 3, 4});
    CHECK(support_of({.temperature = 1.0, .top_k = 2}) == std::set<int>{1, 2});
    // Probabilities: 1: 0.636, 2: 0.234, 0: 0.086, 4: 0.032, 3: 0.012.
    CHECK(support_of({.temperature = 1.0, .top_p = 0.6}) == std::set<int>{1});
    CHECK(support_of({.temperature = 1.0, .top_p = 0.9}) == std::set<int>{0, 1, 2});
    CHECK(support_of({.temperature = 1.0, .min_p = 0.3}) == std::set<int>{1, 2});
    CHECK(support_of({.temperature = 1.0, .top_k = 3, .top_p = 0.8}) == std::set<int>{1, 2});
  }

  TEST_CASE("mirostat keeps to the surprise it is told") {
    std::vector<float> flat(1000);
    for (size_t i = 0; i < flat.size(); ++i) flat[i] = -0.004f * static_cast<float>(i);
    const auto mean_surprise = [&](double tau) {
      Sampler sampler({.temperature = 1.0, .mirostat_tau = tau, .seed = 3});
      double total = 0.0, sum = 0.0;
      for (const float logit : flat) total += std::exp(logit);
      for (int i = 0; i < 2000; ++i) {
        std::vector<float> logits = flat;
        const int32_t token = sampler.pick(logits, {});
        if (i >= 500) sum += std::log2(total) - flat[static_cast<size_t>(token)] / std::log(2.0);
      }
      return sum / 1500;
    };
    // All tokens: 9.1 bits. Of the likeliest 32 and their own share: 5.
    const double free = mean_surprise(0.0), told = mean_surprise(5.0);
    CHECK(free > 8.5);
    CHECK(told < free - 1.0);
    // Kept candidates have about 5 bits among themselves.
    Sampler sampler({.temperature = 1.0, .mirostat_tau = 5.0, .seed = 4});
    std::set<int32_t> seen;
    for (int i = 0; i < 3000; ++i) {
      std::vector<float> logits = flat;
      const int32_t token = sampler.pick(logits, {});
      if (i >= 500) seen.insert(token);
    }
    CHECK(seen.size() > 16);
    CHECK(seen.size() < 64);
    Sampler greedy({.temperature = 0.0, .mirostat_tau = 5.0});
    std::vector<float> logits = kLogits;
    CHECK(greedy.pick(logits, {}) == 1);
  }

  TEST_CASE("a seed repeats itself, another one does not") {
    const auto sequence = [](uint64_t seed) {
      Sampler sampler({.temperature = 1.5, .seed = seed});
      std::vector<int32_t> tokens;
      for (int i = 0; i < 50; ++i) {
        std::vector<float> logits = kLogits;
        tokens.push_back(sampler.pick(logits, {}));
      }
      return tokens;
    };
    CHECK(sequence(7) == sequence(7));
    CHECK(sequence(7) != sequence(8));
  }

  TEST_CASE("the repetition penalty lowers tokens of the window, once each") {
    const std::vector<int32_t> history = {1, 1, 1, 3};
    Sampler sampler({.repetition_penalty = 2.0});
    std::vector<float> logits = kLogits;
    CHECK(sampler.pick(logits, history) == 2);
    CHECK(logits[1] == 1.5f);
    CHECK(logits[3] == -2.0f);
    Sampler short_memory({.repetition_penalty = 2.0, .repetition_window = 1});
    logits = kLogits;
    CHECK(short_memory.pick(logits, history) == 1);
  }

  TEST_CASE("logits that are no numbers are an error, not a token") {
    Sampler sampler({});
    std::vector<float> logits(5, std::numeric_limits<float>::quiet_NaN());
    CHECK_THROWS_AS(sampler.pick(logits, {}), Error);
  }

  TEST_CASE("a large vocabulary is cut as a small one: by rank and by probability") {
    std::vector<float> logits(49152, -4.0f);  // far below the best, but many
    for (int i = 0; i < 40; ++i) logits[static_cast<size_t>(1000 * i)] = 8.0f - 0.2f * float(i);
    double total = 0.0;
    for (const float logit : logits) total += std::exp(logit);
    const auto support = [&](const SamplingOptions& options) {
      Sampler sampler(options);
      std::set<int> seen;
      for (int i = 0; i < 400; ++i) {
        std::vector<float> scratch = logits;
        seen.insert(sampler.pick(scratch, {}));
      }
      return seen;
    };
    for (const int token : support({.temperature = 3.0, .top_k = 30, .seed = 1}))
      CHECK((token % 1000 == 0 && token < 30000));
    double reached = 0.0;
    int kept = 0;
    for (; reached < 0.6 * total; ++kept) reached += std::exp(logits[size_t(1000 * kept)]);
    REQUIRE(kept < 40);
    const std::set<int> nucleus = support({.temperature = 1.0, .top_p = 0.6, .seed = 2});
    CHECK(static_cast<int>(nucleus.size()) == kept);
    CHECK(*nucleus.rbegin() == 1000 * (kept - 1));
    bool tail = false;  // nearly everything: what is unlikely, too
    for (const int token : support({.temperature = 1.5, .top_p = 0.99, .seed = 3}))
      tail |= token % 1000 != 0;
    CHECK(tail);
  }

  TEST_CASE("presence and frequency count generated tokens only, and a bias is added") {
    const std::vector<int32_t> history = {1, 1, 0, 2, 2};
    const auto picked = [&](const SamplingOptions& options, size_t prompt_tokens) {
      std::vector<float> logits = kLogits;
      return Sampler(options).pick(logits, history, prompt_tokens);
    };
    CHECK(picked({.presence_penalty = 2.5}, 2) == 1);  // token 1 stands in the prompt
    CHECK(picked({.presence_penalty = 2.5}, 0) == 1);  // 1: 0.5, 2: -0.5, 0: -1.5, 4: 0.0
    CHECK(picked({.frequency_penalty = 1.6}, 0) == 4);
    CHECK(picked({.presence_penalty = 1.5, .frequency_penalty = 1.0}, 0) == 4);
    CHECK(picked({.logit_bias = {{3, 10.0f}}}, 0) == 3);
    CHECK(picked({.logit_bias = {{1, -100.0f}, {999, 5.0f}}}, 0) == 2);
  }
}

}  // namespace toolkit::engine

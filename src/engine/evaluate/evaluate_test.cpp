#include "engine/evaluate/evaluate.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/data/packing.h"
#include "mlx/mlx.h"
#include "models/testing/memory_files.h"

namespace toolkit::engine {

namespace {

data::Sample sample_of(int length, int first_supervised, int seed) {
  data::Sample sample;
  for (int i = 0; i < length; ++i) {
    sample.ids.push_back((i * 11 + seed * 5) % 64);
    sample.supervised.push_back(i >= first_supervised && i > 0);
  }
  return sample;
}

/// Cross-entropy of one sample alone, from its full logits.
RowLoss plain_loss(const models::Decoder& model, const data::Sample& sample) {
  const int length = static_cast<int>(sample.ids.size());
  const mx::array logits =
      model.logits(model.hidden(mx::array(sample.ids.data(), {1, length}, mx::int32)));
  const mx::array normalized = mx::subtract(logits, mx::logsumexp(logits, 2, true));
  RowLoss loss;
  for (int i = 1; i < length; ++i) {
    if (!sample.supervised[static_cast<size_t>(i)]) continue;
    const int target = sample.ids[static_cast<size_t>(i)];
    loss.sum -= mx::slice(normalized, {0, i - 1, target}, {1, i, target + 1}).item<float>();
    ++loss.tokens;
  }
  return loss;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("each packed row's loss is the one it has alone") {
    const auto model = models::load_decoder(
        models::testing::random_files(models::testing::kTinyLlama), tensor::Compute::kFloat32);
    std::vector<data::Sample> samples;
    for (int i = 0; i < 7; ++i) samples.push_back(sample_of(5 + 3 * i, i, i));
    const std::vector<RowLoss> rows = row_losses(*model, samples, {.batch_tokens = 32});
    for (size_t i = 0; i < samples.size(); ++i) {
      const RowLoss expected = plain_loss(*model, samples[i]);
      CHECK(rows[i].tokens == expected.tokens);
      CHECK(rows[i].sum == doctest::Approx(expected.sum).epsilon(1e-4));
    }
  }

  TEST_CASE("each row's loss is the one it has alone where rows share their beginning") {
    const auto model = models::load_decoder(
        models::testing::random_files(models::testing::kTinyLlama), tensor::Compute::kFloat32);
    std::vector<data::Sample> samples;
    for (int i = 0; i < 7; ++i) {
      data::Sample sample = sample_of(24 + 3 * i, 14 + i, 1);
      for (size_t at = 11; at < sample.ids.size(); ++at) sample.ids[at] = (sample.ids[at] + i) % 64;
      samples.push_back(sample);
    }
    REQUIRE(data::shared_prefix(samples) == 11);
    const std::vector<RowLoss> rows = row_losses(*model, samples, {.batch_tokens = 80});
    for (size_t i = 0; i < samples.size(); ++i) {
      const RowLoss expected = plain_loss(*model, samples[i]);
      CHECK(rows[i].tokens == expected.tokens);
      CHECK(rows[i].sum == doctest::Approx(expected.sum).epsilon(1e-4));
    }
  }

  TEST_CASE("progress can stop an evaluation") {
    const auto model = models::load_decoder(
        models::testing::random_files(models::testing::kTinyLlama), tensor::Compute::kFloat32);
    const std::vector<data::Sample> samples = {sample_of(20, 1, 1), sample_of(20, 1, 2)};
    const auto rows = row_losses(
        *model, samples,
        {.batch_tokens = 20, .progress = [](int64_t done, int64_t) { return done < 1; }});
    CHECK(rows[0].tokens + rows[1].tokens == 19);
  }

  TEST_CASE("the interval holds the true mean in 95 of 100 draws") {
    Random random(3);
    int held = 0;
    const int trials = 400;
    for (int trial = 0; trial < trials; ++trial) {
      std::vector<RowLoss> rows;
      for (int i = 0; i < 60; ++i) {
        const int tokens = 5 + static_cast<int>(random.below(20));
        double noise = 0.0;  // of the whole row: tokens of a row are not independent
        for (int j = 0; j < 12; ++j) noise += random.uniform() - 0.5;
        rows.push_back({.sum = tokens * (2.0 + 0.5 * noise), .tokens = tokens});
      }
      const Estimate estimate = mean_loss(rows);
      held += estimate.low <= 2.0 && 2.0 <= estimate.high;
    }
    CHECK(held > 0.91 * trials);
    CHECK(held < 0.98 * trials);
  }

  TEST_CASE("pairing sees a small gain that separate intervals hide") {
    std::vector<RowLoss> before, after;
    for (int i = 0; i < 50; ++i) {
      before.push_back({.sum = 10.0 * (1 + i % 7), .tokens = 10});
      after.push_back({.sum = 10.0 * (1 + i % 7) - 0.5 - 0.01 * (i % 3), .tokens = 10});
    }
    const Estimate gain = loss_reduction(before, after);
    CHECK(gain.value == doctest::Approx(0.051).epsilon(0.02));
    CHECK(gain.low > 0.04);
    CHECK(mean_loss(before).low < mean_loss(after).high);
    after.pop_back();
    CHECK_THROWS_AS(loss_reduction(before, after), Error);
  }

  TEST_CASE("no supervised token: no loss, no division by zero") {
    const Estimate none = mean_loss(std::vector<RowLoss>(3));
    CHECK(none.value == 0.0);
    CHECK(perplexity(none).value == 1.0);
  }
}

}  // namespace toolkit::engine

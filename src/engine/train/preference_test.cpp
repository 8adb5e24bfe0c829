#include "engine/train/preference.h"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/train/testing/tiny_model.h"
#include "engine/train/trainer.h"
#include "mlx/mlx.h"

using namespace toolkit;
using namespace toolkit::engine;
using namespace toolkit::engine::testing;

namespace {

/// Pairs behind one beginning of `prefix` tokens: the chosen answer follows the rule, the rejected
/// one does not.
std::vector<data::Sample> pairs(int count, uint64_t seed, int prefix = 12) {
  std::vector<data::Sample> samples;
  Random random(seed);
  for (const data::Sample& chosen : samples_behind_prefix(count, seed, prefix)) {
    data::Sample rejected = chosen;
    for (size_t i = 0; i < rejected.ids.size(); ++i)
      if (rejected.supervised[i]) rejected.ids[i] = static_cast<int32_t>(random.below(64));
    if (random.below(2) == 0) {
      rejected.ids.push_back(3);
      rejected.supervised.push_back(true);
    }
    samples.push_back(chosen);
    samples.push_back(rejected);
  }
  return samples;
}

Batches packed(const std::vector<data::Sample>& samples, int batch_tokens, bool shuffled = false) {
  return {samples, choose_batch_shape(samples, batch_tokens, true, 2), shuffled, 5};
}

std::vector<std::shared_ptr<const Objective>> all_objectives() {
  return {dpo({.beta = 0.5}), dpo({.beta = 0.5, .label_smoothing = 0.1}),
          dpo({.beta = 0.2, .loss = PreferenceLoss::kHinge}),
          dpo({.beta = 0.5, .loss = PreferenceLoss::kIpo}), orpo(0.7)};
}

float size_of(const mx::array& array) {
  return mx::max(mx::abs(array)).item<float>();
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("pairs stay side by side in packed rows, each once") {
    const std::vector<data::Sample> samples = pairs(17, 3);
    const Batches batches(samples, {.rows = 2, .length = 150, .prefix = 12, .group = 2}, true, 9);
    std::vector<int> seen(samples.size(), 0);
    for (int i = 0; i < batches.per_epoch(); ++i) {
      const data::PackedBatch batch = batches.at(i);
      REQUIRE(batch.samples.size() % 2 == 0);
      for (size_t k = 0; k < batch.samples.size(); k += 2) {
        CHECK(batch.samples[k] % 2 == 0);
        CHECK(batch.samples[k + 1] == batch.samples[k] + 1);
      }
      for (const int32_t sample : batch.samples) ++seen[static_cast<size_t>(sample)];
      REQUIRE(batch.owners.size() == batch.predictors.size());
      for (size_t k = 0; k < batch.owners.size(); ++k) {
        const auto owner = static_cast<size_t>(batch.owners[k]);
        const data::Sample& sample = samples[static_cast<size_t>(batch.samples[owner])];
        CHECK(std::count(sample.ids.begin(), sample.ids.end(), batch.targets[k]) > 0);
      }
    }
    CHECK(std::all_of(seen.begin(), seen.end(), [](int count) { return count == 1; }));
  }

  TEST_CASE("loss and gradients of packed pairs equal the sums over the pairs one by one") {
    auto model = tiny_adapted_model();
    TrainableParameters parameters(*model);
    const std::vector<data::Sample> samples = pairs(6, 1);
    for (const auto& objective : all_objectives()) {
      const Batches batches = packed(samples, 5000);
      REQUIRE(batches.per_epoch() == 1);
      REQUIRE(batches.shape().prefix >= 12);
      BatchGradients all = batch_gradients(*model, parameters, batches.at(0), {}, *objective);
      BatchGradients again = batch_gradients(*model, parameters, batches.at(0),
                                             {.checkpoint_layers = true}, *objective);
      float loss = 0;
      std::vector<mx::array> gradients;
      mx::array metrics = mx::zeros(all.metrics[0].shape());
      for (size_t i = 0; i < samples.size(); i += 2) {
        const std::vector<data::Sample> pair = {samples[i], samples[i + 1]};
        const Batches one(pair, {.rows = 1, .length = 200, .group = 2}, false);
        BatchGradients found = batch_gradients(*model, parameters, one.at(0), {}, *objective);
        loss += found.loss.item<float>();
        metrics = mx::add(metrics, found.metrics[0]);
        for (size_t k = 0; k < found.gradients.size(); ++k) {
          if (i == 0)
            gradients.push_back(found.gradients[k]);
          else
            gradients[k] = mx::add(gradients[k], found.gradients[k]);
        }
      }
      CHECK(all.loss.item<float>() == doctest::Approx(loss).epsilon(1e-4));
      CHECK(mx::allclose(all.metrics[0], metrics, 1e-4, 1e-3).item<bool>());
      for (size_t k = 0; k < gradients.size(); ++k) {
        CAPTURE(parameters.names()[k]);
        const float size = size_of(gradients[k]);
        CHECK(size > 0);
        CHECK(models::testing::largest_difference(all.gradients[k], gradients[k]) < 1e-3f * size);
        CHECK(models::testing::largest_difference(all.gradients[k], again.gradients[k]) <=
              1e-4f * size);
      }
    }
  }

  TEST_CASE("preference gradients equal finite differences") {
    auto model = tiny_adapted_model();
    TrainableParameters parameters(*model);
    const Batches batches = packed(pairs(4, 2), 5000);
    for (const auto& objective : all_objectives()) {
      BatchGradients found = batch_gradients(*model, parameters, batches.at(0), {}, *objective);
      mx::eval(found.gradients);
      const std::vector<mx::array> before = parameters.values();
      const auto loss_at = [&](size_t i, const mx::array& value) {
        std::vector<mx::array> moved = before;
        moved[i] = value;
        ParameterSwap swap(parameters, moved);
        return objective
            ->sums(*model, batches.at(0), {}, objective->constants(*model, batches.at(0)))[0]
            .item<float>();
      };
      for (size_t i : {size_t{0}, parameters.size() / 2, parameters.size() - 1}) {
        const float slope = mx::sqrt(mx::sum(mx::square(found.gradients[i]))).item<float>();
        const mx::array step =
            mx::multiply(found.gradients[i], mx::array(1e-2f / std::max(slope, 1e-6f)));
        const float difference =
            loss_at(i, mx::add(before[i], step)) - loss_at(i, mx::subtract(before[i], step));
        CHECK(difference / 2e-2f == doctest::Approx(slope).epsilon(0.05));
      }
    }
  }

  TEST_CASE("a model that did not change has margins of zero, and its branches come back") {
    for (const LoraOptions& options :
         {LoraOptions{.rank = 4, .seed = 3}, LoraOptions{.rank = 4, .magnitudes = true, .seed = 3},
          LoraOptions{.rank = 4, .start = BranchStart::kPissa, .seed = 3}}) {
      auto model = tiny_model();
      attach_lora(*model, options);
      const std::vector<mx::array> before = TrainableParameters(*model).values();
      const MeasuredLoss measured =
          measure_loss(*model, packed(pairs(5, 4), 300), {}, {}, *dpo({.beta = 0.1}));
      CHECK(measured.units == 5);
      CHECK(measured.mean() == doctest::Approx(std::log(2.0)).epsilon(1e-4));
      CHECK(std::abs(measured.metric_sums[2]) < 1e-3);
      const std::vector<mx::array> after = TrainableParameters(*model).values();
      REQUIRE(after.size() == before.size());
      for (size_t i = 0; i < after.size(); ++i) CHECK(after[i].id() == before[i].id());
    }
  }

  TEST_CASE("log-probabilities known beforehand give what the switched-off branches give") {
    auto model = tiny_adapted_model();
    const std::vector<data::Sample> samples = pairs(9, 6);
    const Batches train = packed(samples, 300, /*shuffled=*/true);
    REQUIRE(train.per_epoch() > 1);
    const KnownLogProbs known = reference_log_probs(*model, train);
    REQUIRE(known);
    const MeasuredLoss with = measure_loss(*model, train, {}, {}, *dpo({.beta = 0.3}, known));
    const MeasuredLoss without = measure_loss(*model, train, {}, {}, *dpo({.beta = 0.3}));
    CHECK(with.sum == doctest::Approx(without.sum).epsilon(1e-5));
    CHECK(with.metric_sums[2] == doctest::Approx(without.metric_sums[2]).epsilon(1e-4));
    CHECK_FALSE(reference_log_probs(*model, train, [](int, int) { return false; }));
  }

  TEST_CASE("an answer that is certain leaves ORPO finite") {
    auto model = tiny_adapted_model();
    TrainableParameters parameters(*model);
    // Logits so large that the answer's probability rounds to one.
    data::Sample chosen{.ids = {1, 2, 3}, .supervised = {false, true, true}};
    data::Sample rejected{.ids = {1, 5}, .supervised = {false, true}};
    const Batches batches(std::vector<data::Sample>{chosen, rejected},
                          {.rows = 1, .length = 8, .group = 2}, false);
    for (models::ModelParameter& parameter : model->parameters())
      if (parameter.name == "model.norm.weight")
        for (mx::array* place : parameter.places) *place = mx::multiply(*place, mx::array(1000.0f));
    BatchGradients found = batch_gradients(*model, parameters, batches.at(0), {}, *orpo(0.1));
    CHECK(std::isfinite(found.loss.item<float>()));
    for (const mx::array& gradient : found.gradients)
      CHECK(mx::all(mx::isfinite(gradient)).item<bool>());
  }
}

TEST_SUITE("recipe") {
  TEST_CASE("preference training makes chosen answers the likelier ones, accumulated or not") {
    const std::vector<data::Sample> samples = pairs(24, 7);
    const Batches train = packed(samples, 400, /*shuffled=*/true);
    const Batches valid = packed(pairs(8, 8), 400);
    for (const auto& objective : {dpo({.beta = 0.3}), orpo(0.5)}) {
      auto model = tiny_model();
      attach_lora(*model, {.rank = 4, .scale = 2.0f, .seed = 3});
      TrainerOptions options{.steps = 25,
                             .schedule = {.decay = optim::Decay::kConstant, .peak = 5e-3},
                             .accumulate = 2,
                             .objective = objective};
      Metrics first, last;
      const TrainingSummary summary =
          Trainer(*model, train, &valid, options, {.stepped = [&](const StepReport& report) {
            if (report.step == 1) first = report.metrics;
            last = report.metrics;
          }}).run();
      CHECK(summary.validation_loss_after < summary.validation_loss_before);
      CHECK(last.at("reward_margin") > first.at("reward_margin"));
      CHECK(last.at("reward_accuracy") > 0.9);
      CHECK(summary.validation_metrics_after.at("ranking_accuracy") > 0.9);
      CHECK(summary.validation_metrics_before.at("ranking_accuracy") < 0.9);
    }
  }
}

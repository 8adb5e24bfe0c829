#include "engine/train/loss.h"

#include <doctest/doctest.h>

#include "engine/train/testing/tiny_model.h"
#include "mlx/mlx.h"

using namespace toolkit;
using namespace toolkit::engine;
using namespace toolkit::engine::testing;

namespace {

data::PackedBatch alone(const data::Sample& sample) {
  const std::vector<std::vector<int>> rows{{0}};
  return data::make_batch(std::span(&sample, 1), rows, static_cast<int>(sample.ids.size()));
}

float difference(const std::vector<mx::array>& a, const std::vector<mx::array>& b) {
  float largest = 0;
  for (size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, models::testing::largest_difference(a[i], b[i]));
  return largest;
}

float size_of(const std::vector<mx::array>& arrays) {
  float largest = 0;
  for (const mx::array& array : arrays)
    largest = std::max(largest, mx::max(mx::abs(array)).item<float>());
  return largest;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("packed loss and gradients equal the sums over the samples one by one") {
    auto model = tiny_adapted_model();
    TrainableParameters parameters(*model);
    const auto samples = rule_samples(9, 1);
    const auto [loss, gradients] = one_by_one(*model, parameters, samples);
    const Batches batches(samples, {.rows = 4, .length = 48}, true, 3);
    REQUIRE(batches.per_epoch() == 1);
    auto [value, packed] = loss_and_gradients(*model, parameters, batches.at(0));
    CHECK(value.item<float>() == doctest::Approx(loss).epsilon(1e-5));
    CHECK(size_of(packed) > 0.1f);
    CHECK(difference(packed, gradients) < 1e-4f * size_of(packed));
  }

  TEST_CASE("with a shared prefix, loss and gradients equal the sums over the samples one by one") {
    auto model = tiny_adapted_model();
    TrainableParameters parameters(*model);
    const auto samples = samples_behind_prefix(13, 1, 25);
    const auto [loss, gradients] = one_by_one(*model, parameters, samples);
    for (const int batch_tokens : {5000, 200}) {  // one batch of several rows, some of them empty
      BatchShape shape = choose_batch_shape(samples, batch_tokens, true);
      REQUIRE(shape.prefix >= 25);
      if (batch_tokens == 200) shape.rows = 4;
      const Batches batches(samples, shape, true, 3);
      REQUIRE(batches.per_epoch() == 1);
      const data::PackedBatch batch = batches.at(0);
      CHECK(batch.tokens == batches.tokens());
      for (const bool checkpoint : {false, true}) {
        CAPTURE(checkpoint);
        auto [value, packed] =
            loss_and_gradients(*model, parameters, batch, {.checkpoint_layers = checkpoint});
        CHECK(value.item<float>() == doctest::Approx(loss).epsilon(1e-5));
        CHECK(difference(packed, gradients) < 1e-4f * size_of(packed));
      }
    }
  }

  TEST_CASE("layers computed twice give the same loss and gradients") {
    auto model = tiny_adapted_model();
    TrainableParameters parameters(*model);
    const Batches batches(rule_samples(9, 1), {.rows = 4, .length = 48}, true, 3);
    auto [value, gradients] = loss_and_gradients(*model, parameters, batches.at(0));
    auto [again, checkpointed] =
        loss_and_gradients(*model, parameters, batches.at(0), {.checkpoint_layers = true});
    CHECK(again.item<float>() == doctest::Approx(value.item<float>()).epsilon(1e-6));
    CHECK(difference(gradients, checkpointed) < 1e-5f * size_of(gradients));
  }

  TEST_CASE("gradients equal finite differences") {
    auto model = tiny_adapted_model();
    TrainableParameters parameters(*model);
    const Batches batches(rule_samples(4, 2), {.rows = 1, .length = 96}, false);
    auto [value, gradients] = loss_and_gradients(*model, parameters, batches.at(0));
    mx::eval(gradients);
    const std::vector<mx::array> before = parameters.values();
    for (size_t i : {size_t{0}, parameters.size() / 2, parameters.size() - 1}) {
      // Along the gradient itself the slope is its squared length.
      const mx::array direction =
          mx::divide(gradients[i], mx::sqrt(mx::sum(mx::square(gradients[i]))));
      const float step = 1e-2f;
      std::vector<mx::array> moved = before;
      moved[i] = mx::add(before[i], mx::multiply(direction, mx::array(step)));
      parameters.assign(moved);
      const float up = loss_sum(*model, batches.at(0)).item<float>();
      moved[i] = mx::subtract(before[i], mx::multiply(direction, mx::array(step)));
      parameters.assign(moved);
      const float down = loss_sum(*model, batches.at(0)).item<float>();
      parameters.assign(before);
      const float slope = mx::sqrt(mx::sum(mx::square(gradients[i]))).item<float>();
      CHECK((up - down) / (2 * step) == doctest::Approx(slope).epsilon(0.02));
    }
  }

  TEST_CASE("measured loss is that of all supervised tokens, and can be stopped") {
    auto model = tiny_model();
    const auto samples = rule_samples(12, 4);
    const Batches batches(samples, {.rows = 1, .length = 40}, false);
    double sum = 0;
    for (const data::Sample& sample : samples) sum += loss_sum(*model, alone(sample)).item<float>();
    const MeasuredLoss measured = measure_loss(*model, batches);
    CHECK(measured.units == batches.supervised_tokens());
    CHECK(measured.sum == doctest::Approx(sum).epsilon(1e-5));
    CHECK_FALSE(measure_loss(*model, batches, [](int done, int) { return done < 2; }).complete);
  }

  TEST_CASE("parameters are put back after a trace, an exception included") {
    auto model = tiny_adapted_model();
    TrainableParameters parameters(*model);
    const std::vector<mx::array> before = parameters.values();
    std::vector<mx::array> zeros;
    for (const mx::array& value : before) zeros.push_back(mx::zeros(value.shape()));
    try {
      ParameterSwap swap(parameters, zeros);
      CHECK(parameters.values()[0].id() == zeros[0].id());
      throw 1;
    } catch (int) {
    }
    CHECK(parameters.values()[0].id() == before[0].id());
  }
}

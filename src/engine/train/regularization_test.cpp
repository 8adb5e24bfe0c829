#include "engine/train/regularization.h"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/packed_rows.h"
#include "engine/train/testing/tiny_model.h"
#include "mlx/mlx.h"

using namespace toolkit;
using namespace toolkit::engine;
using namespace toolkit::engine::testing;
using models::testing::largest_difference;

namespace {

float loss_of(models::Decoder& model, const data::PackedBatch& batch, const LossOptions& options) {
  return loss_sum(model, batch, options).item<float>();
}

data::PackedBatch packed_batch(int prefix) {
  const auto samples = samples_behind_prefix(7, 4, prefix);
  return Batches(samples, choose_batch_shape(samples, 1000, true), false).at(0);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("dropout is on in the step alone and the same draw gives the same loss") {
    auto model = tiny_adapted_model();
    const data::PackedBatch batch = packed_batch(12);
    const LossOptions first{.regularization = {.dropout = 0.3f, .seed = 5}, .draw = 1};
    LossOptions second = first;
    second.draw = 2;
    const float clean = loss_of(*model, batch, {});
    CHECK(loss_of(*model, batch, first) != clean);
    CHECK(loss_of(*model, batch, first) == loss_of(*model, batch, first));
    CHECK(loss_of(*model, batch, first) != loss_of(*model, batch, second));
    CHECK(loss_of(*model, batch, {}) == clean);
  }

  TEST_CASE("layers of one step drop different elements") {
    auto model = tiny_adapted_model();
    const BranchDropout dropout(*model, {.dropout = 0.5f}, 3);
    std::set<uint64_t> keys;
    const auto linears = model->linears();
    for (const auto& [path, layer] : linears) keys.insert(layer->lora->dropout_key);
    CHECK(keys.size() == linears.size());
  }

  TEST_CASE("checkpointed layers draw the same dropout and noise again") {
    auto model = tiny_adapted_model();
    TrainableParameters parameters(*model);
    const data::PackedBatch batch = packed_batch(12);
    LossOptions options{.regularization = {.dropout = 0.3f, .neftune_alpha = 5.0f, .seed = 5}};
    auto [kept_loss, kept] = loss_and_gradients(*model, parameters, batch, options);
    options.checkpoint_layers = true;
    auto [loss, recomputed] = loss_and_gradients(*model, parameters, batch, options);
    CHECK(loss.item<float>() == kept_loss.item<float>());
    for (size_t i = 0; i < kept.size(); ++i)
      CHECK(largest_difference(recomputed[i], kept[i]) == 0.0f);
  }

  TEST_CASE("NEFTune noise stays within alpha over the root of sample length times width") {
    for (const int prefix : {0, 12}) {
      const data::PackedBatch batch = packed_batch(prefix);
      const int width = 16;
      mx::array noise = *embedding_noise(batch, width, {.neftune_alpha = 5.0f}, 1);
      mx::eval(noise);
      REQUIRE(noise.shape() == mx::Shape{batch.rows, batch.length, width});
      // The length of a sample is its last position, counted from one.
      for (size_t i = 0; i < batch.segments.size(); ++i) {
        if (batch.segments[i] < 0) continue;
        size_t last = i;
        while (last + 1 < batch.segments.size() && batch.segments[last + 1] == batch.segments[i] &&
               batch.positions[last + 1] > batch.positions[last])
          ++last;
        const double bound = 5.0 / std::sqrt((batch.positions[last] + 1.0) * width);
        double largest = 0;
        for (int c = 0; c < width; ++c)
          largest = std::max(largest, std::abs(double{noise.data<float>()[i * width + c]}));
        CHECK(largest <= bound * (1 + 1e-6));
        CHECK(largest > 0.4 * bound);
      }
    }
  }

  TEST_CASE("label smoothing changes the training loss as stated") {
    auto model = tiny_adapted_model();
    const auto samples = rule_samples(1, 2);
    const std::vector<std::vector<int>> rows{{0}};
    const data::PackedBatch batch =
        data::make_batch(samples, rows, static_cast<int>(samples[0].ids.size()));
    const float smoothed = loss_of(*model, batch, {.regularization = {.label_smoothing = 0.1f}});
    const mx::array states = predicting_states(*model, batch);
    const mx::array logits = model->logits(states);
    const mx::array log_probabilities =
        mx::subtract(logits, mx::logsumexp(logits, -1, /*keepdims=*/true));
    const float uniform = -mx::sum(mx::mean(log_probabilities, -1)).item<float>();
    CHECK(smoothed ==
          doctest::Approx(0.9 * loss_of(*model, batch, {}) + 0.1 * uniform).epsilon(1e-5));
  }
}

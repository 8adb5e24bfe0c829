#include "engine/train/trainer.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "engine/train/testing/tiny_model.h"
#include "mlx/mlx.h"

using namespace toolkit;
using namespace toolkit::engine;
using namespace toolkit::engine::testing;

namespace {

TrainerOptions quick_options(int64_t steps) {
  return {.steps = steps,
          .schedule = {.decay = optim::Decay::kCosine,
                       .peak = 2e-2,
                       .warmup_steps = 3,
                       .total_steps = static_cast<int>(steps)}};
}

struct Fixture {
  std::unique_ptr<models::Decoder> model = tiny_model();
  Batches train{rule_samples(40, 1), {.rows = 2, .length = 64}, true, 5};
  Batches valid{rule_samples(10, 2), {.rows = 1, .length = 64}, false};
  Fixture() { attach_lora(*model, {.rank = 4, .scale = 2.0f, .seed = 3}); }
};

bool equal(const std::vector<mx::array>& a, const std::vector<mx::array>& b) {
  for (size_t i = 0; i < a.size(); ++i)
    if (!mx::array_equal(a[i], b[i]).item<bool>()) return false;
  return true;
}

std::filesystem::path scratch_file() {
  return std::filesystem::temp_directory_path() /
         fmt::format("trainer_test_{}.safetensors", getpid());
}

}  // namespace

TEST_SUITE("recipe") {
  TEST_CASE("training a tiny model lowers the validation loss clearly") {
    Fixture f;
    std::vector<double> losses;
    Trainer trainer(*f.model, f.train, &f.valid, quick_options(60),
                    {.stepped = [&](const StepReport& r) { losses.push_back(r.loss); }});
    const TrainingSummary summary = trainer.run();
    CHECK(summary.steps == 60);
    CHECK(losses.size() == 60);
    CHECK(summary.validated);
    CHECK(summary.validation_loss_after < 0.7 * summary.validation_loss_before);
    CHECK(losses.back() < 0.7 * losses.front());
    CHECK(summary.tokens > 0);
    CHECK(summary.supervised_tokens < summary.tokens);
    CHECK(summary.tokens_per_second > 0);
  }

  TEST_CASE("one row is learned by heart") {
    auto model = tiny_model();
    attach_lora(*model, {.rank = 8, .scale = 2.0f});
    const Batches train(rule_samples(1, 9), {.rows = 1, .length = 24}, false);
    TrainerOptions options = quick_options(160);
    double first = 0, last = 0;
    Trainer trainer(*model, train, nullptr, options, {.stepped = [&](const StepReport& r) {
      if (r.step == 1) first = r.loss;
      last = r.loss;
    }});
    const TrainingSummary summary = trainer.run();
    CHECK(last < 0.1 * first);
    CHECK_FALSE(summary.validated);
  }

  TEST_CASE("the same seed gives the same parameters bit for bit") {
    std::vector<std::vector<mx::array>> ends;
    for (int run = 0; run < 2; ++run) {
      Fixture f;
      Trainer(*f.model, f.train, nullptr, quick_options(12), {}).run();
      ends.push_back(TrainableParameters(*f.model).values());
    }
    CHECK(equal(ends[0], ends[1]));
  }

  TEST_CASE("a run stopped, saved and resumed ends where the whole run ends") {
    Fixture whole;
    TrainerOptions options = quick_options(14);
    options.fingerprint = "same";
    Trainer(*whole.model, whole.train, nullptr, options, {}).run();

    const std::filesystem::path file = scratch_file();
    {
      Fixture first;
      TrainerOptions saving = options;
      saving.save_every = 6;
      int saves = 0;
      Trainer(*first.model, first.train, nullptr, saving,
              {.save =
                   [&](const TrainingState& state, bool) {
                     if (++saves == 1) save_training_state(file, state);
                   }})
          .run();
    }
    Fixture second;
    const auto state = load_training_state(file);
    std::filesystem::remove(file);
    REQUIRE(state);
    CHECK(state->step == 6);
    Trainer trainer(*second.model, second.train, nullptr, options, {});
    trainer.resume(*state);
    const TrainingSummary summary = trainer.run();
    CHECK(summary.steps == 14);
    CHECK(equal(TrainableParameters(*second.model).values(),
                TrainableParameters(*whole.model).values()));

    TrainerOptions others = options;
    others.fingerprint = "other";
    Trainer refused(*second.model, second.train, nullptr, others, {});
    CHECK_THROWS_AS(refused.resume(*state), Error);
  }

  TEST_CASE("Ctrl-C finishes the step, saves and says so") {
    Fixture f;
    InterruptGuard guard;
    int64_t saved_at = -1;
    Trainer trainer(*f.model, f.train, &f.valid, quick_options(50),
                    {.stepped =
                         [](const StepReport& r) {
                           if (r.step == 4) std::raise(SIGINT);
                         },
                     .save = [&](const TrainingState& state, bool) { saved_at = state.step; }});
    const TrainingSummary summary = trainer.run();
    InterruptGuard::clear();
    CHECK(summary.interrupted);
    CHECK(summary.steps == 4);
    CHECK(saved_at == 4);
  }

  TEST_CASE("steps without a finite gradient change nothing and end the run after some") {
    Fixture f;
    // An infinite weight in the frozen model makes every gradient NaN.
    for (const auto& [path, layer] : f.model->linears())
      if (path.ends_with("layers.1.mlp.up_proj"))
        layer->weight.data = mx::full(layer->weight.data.shape(), INFINITY);
    const std::vector<mx::array> before = TrainableParameters(*f.model).values();
    TrainerOptions options = quick_options(50);
    options.max_bad_steps = 3;
    int steps = 0;
    Trainer trainer(*f.model, f.train, nullptr, options,
                    {.stepped = [&](const StepReport& r) { steps += r.skipped; }});
    CHECK_THROWS_AS(trainer.run(), Error);
    CHECK(steps == 3);
    CHECK(equal(TrainableParameters(*f.model).values(), before));
  }

  TEST_CASE("validation and saving happen when asked, and the best state is marked") {
    Fixture f;
    TrainerOptions options = quick_options(20);
    options.validate_every = 5;
    options.save_every = 8;
    std::vector<int64_t> validated, saved, best;
    Trainer(*f.model, f.train, &f.valid, options,
            {.validated = [&](int64_t step, double) { validated.push_back(step); },
             .save =
                 [&](const TrainingState& state, bool is_best) {
                   saved.push_back(state.step);
                   if (is_best) best.push_back(state.step);
                 }})
        .run();
    CHECK(validated == std::vector<int64_t>{0, 5, 10, 15, 20});
    CHECK(saved.back() == 20);
    CHECK(std::count(saved.begin(), saved.end(), 8) == 1);
    CHECK_FALSE(best.empty());
  }
}

TEST_SUITE("unit") {
  TEST_CASE("a file that is no training state is refused, a missing one is no error") {
    const std::filesystem::path file = scratch_file();
    CHECK_FALSE(load_training_state(file));
    std::ofstream(file) << "not a state";
    CHECK_THROWS_AS(load_training_state(file), Error);
    std::filesystem::remove(file);
  }
}

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
            {.validated = [&](int64_t step, double, const Metrics&) { validated.push_back(step); },
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

TEST_SUITE("recipe") {
  TEST_CASE("accumulated batches make the step of one large batch") {
    // The same rows in one batch of four and in four of one; gradients are what SGD moves by.
    const std::vector<data::Sample> samples = rule_samples(14, 4, 6, 20);
    const Batches large(samples, {.rows = 4, .length = 64}, false);
    const Batches small(samples, {.rows = 1, .length = 64}, false);
    REQUIRE(large.per_epoch() == 1);
    REQUIRE(small.per_epoch() > 2);
    std::vector<std::vector<mx::array>> ends;
    std::vector<StepReport> reports;
    for (const bool accumulated : {false, true}) {
      auto model = tiny_adapted_model();
      TrainerOptions options{.steps = 1,
                             .schedule = {.decay = optim::Decay::kConstant, .peak = 1.0},
                             .accumulate = accumulated ? 4 : 1,
                             .optimizer = "sgd",
                             .clip = 0};
      Trainer(*model, accumulated ? small : large, nullptr, options,
              {.stepped = [&](const StepReport& report) { reports.push_back(report); }})
          .run();
      ends.push_back(TrainableParameters(*model).values());
    }
    REQUIRE(reports.size() == 2);
    CHECK(reports[0].tokens == reports[1].tokens);
    CHECK(reports[0].supervised_tokens == reports[1].supervised_tokens);
    CHECK(reports[0].loss == doctest::Approx(reports[1].loss).epsilon(1e-5));
    CHECK(reports[0].gradient_norm == doctest::Approx(reports[1].gradient_norm).epsilon(1e-5));
    const std::vector<mx::array> before = TrainableParameters(*tiny_adapted_model()).values();
    for (size_t i = 0; i < ends[0].size(); ++i) {
      const mx::array gradient = mx::subtract(before[i], ends[0][i]);
      const mx::array apart = mx::max(mx::abs(mx::subtract(ends[0][i], ends[1][i])));
      CHECK(mx::array(apart).item<float>() <=
            1e-4f * mx::max(mx::abs(gradient)).item<float>() + 1e-6f);
    }
  }

  TEST_CASE("the last step of an epoch takes the batches that are left") {
    Fixture f;
    const int per_epoch = f.train.per_epoch();
    REQUIRE(per_epoch > 3);
    TrainerOptions options = quick_options(2 * steps_per_epoch(per_epoch, 3));
    options.accumulate = 3;
    int64_t tokens = 0;
    const TrainingSummary summary =
        Trainer(*f.model, f.train, nullptr, options, {.stepped = [&](const StepReport& report) {
          tokens += report.tokens;
        }}).run();
    CHECK(tokens == 2 * f.train.tokens());
    CHECK(summary.supervised_tokens == 2 * f.train.supervised_tokens());
  }

  TEST_CASE("validations without improvement end the run") {
    Fixture f;
    TrainerOptions options = quick_options(30);
    options.schedule.peak = 0;
    options.validate_every = 2;
    options.patience = 3;
    bool saved = false;
    TrainingState last;
    const TrainingSummary summary = Trainer(*f.model, f.train, &f.valid, options,
                                            {.save =
                                                 [&](const TrainingState& state, bool) {
                                                   saved = true;
                                                   last = state;
                                                 }})
                                        .run();
    CHECK(summary.stopped_early);
    CHECK_FALSE(summary.interrupted);
    CHECK(summary.steps == 8);
    CHECK(summary.best_step == 2);
    REQUIRE(saved);
    CHECK(last.step == 8);
    CHECK(last.stale_validations == 3);
  }

  TEST_CASE("LoRA+ moves b faster by its ratio and roles decide what decays") {
    auto model = tiny_adapted_model();
    const TrainableParameters parameters(*model);
    const auto rules = parameter_rules(parameters, 16.0);
    REQUIRE(rules.size() == parameters.size());
    for (size_t i = 0; i < rules.size(); ++i) {
      const bool b = parameters.names()[i].ends_with("lora_b");
      CHECK(rules[i].rate_factor == (b ? 16.0 : 1.0));
      CHECK(rules[i].decays);
    }
    const Batches train(rule_samples(4, 1), {.rows = 1, .length = 96}, false);
    std::vector<std::vector<mx::array>> ends;
    const std::vector<mx::array> before = parameters.values();
    for (const double ratio : {1.0, 16.0}) {
      auto trained = tiny_adapted_model();
      TrainerOptions options{.steps = 1,
                             .schedule = {.decay = optim::Decay::kConstant, .peak = 1e-3},
                             .lora_b_rate = ratio};
      Trainer(*trained, train, nullptr, options, {}).run();
      ends.push_back(TrainableParameters(*trained).values());
    }
    for (size_t i = 0; i < before.size(); ++i) {
      const mx::array slow = mx::subtract(ends[0][i], before[i]);
      const mx::array fast = mx::subtract(ends[1][i], before[i]);
      const float factor = parameters.names()[i].ends_with("lora_b") ? 16.0f : 1.0f;
      CHECK(mx::allclose(fast, mx::multiply(slow, mx::array(factor)), 1e-2, 1e-5).item<bool>());
    }
  }
}

TEST_SUITE("unit") {
  TEST_CASE("steps cover every batch of an epoch once") {
    CHECK(steps_per_epoch(7, 3) == 3);
    std::vector<int64_t> seen;
    for (int64_t step = 0; step < 6; ++step) {
      const StepBatches batches = batches_of_step(step, 7, 3);
      for (int64_t i = batches.begin; i < batches.end; ++i) seen.push_back(i);
    }
    std::vector<int64_t> all(14);
    for (int64_t i = 0; i < 14; ++i) all[static_cast<size_t>(i)] = i;
    CHECK(seen == all);
    CHECK(batches_of_step(2, 7, 3).end == 7);
  }

  TEST_CASE("a file that is no training state is refused, a missing one is no error") {
    const std::filesystem::path file = scratch_file();
    CHECK_FALSE(load_training_state(file));
    std::ofstream(file) << "not a state";
    CHECK_THROWS_AS(load_training_state(file), Error);
    std::filesystem::remove(file);
  }
}

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/interrupt.h"
#include "core/base/testing.h"
#include "core/checkpoint/adapter.h"
#include "core/report/run_log.h"
#include "engine/language_model.h"
#include "engine/train/training_state.h"
#include "mlx/mlx.h"
#include "projects/finetune/checkpoints.h"
#include "projects/finetune/config.h"
#include "projects/finetune/page.h"
#include "projects/finetune/run.h"

using namespace toolkit;
using namespace toolkit::finetune;
namespace fs = std::filesystem;
using testing::contains;

namespace {

// A folder of its own with a small data set, gone at the end.
struct Scratch {
  const testing::TestingFolder own;
  fs::path folder = own.path;
  Scratch() {
    fs::create_directories(folder / "data");
    const char* colours[] = {"red", "blue", "green", "black"};
    for (const char* split : {"train", "valid", "test"}) {
      std::ofstream file(folder / "data" / (std::string(split) + ".jsonl"));
      for (int i = 0; i < (split == std::string("train") ? 24 : 4); ++i)
        file << R"({"messages": [{"role": "user", "content": "Name a colour."}, )"
             << R"({"role": "assistant", "content": "The colour is )" << colours[i % 4]
             << ".\"}]}\n";
    }
  }

  Config config() const {
    Config config;
    config.model = std::string(TOOLKIT_FIXTURES) + "/models/llama";
    config.data = (folder / "data").string();
    config.output = (folder / "out").string();
    config.max_length = 128;
    config.batch_tokens = 256;
    config.learning_rate = 1e-2;
    config.steps = 12;
    return config;
  }
};

// Counts, and can do something at a step (Ctrl-C, look at the disk).
struct TestLog : report::RunLog {
  std::function<void(int64_t)> at_step;
  std::string status;
  int losses = 0;
  void parameters(const nlohmann::json&) override {}
  void metric(const std::string& name, int64_t step, double) override {
    if (name != "train_loss") return;
    ++losses;
    if (at_step) at_step(step);
  }
  void artifact(const fs::path&, const std::string&) override {}
  void finish(const std::string& how, const nlohmann::json&) override { status = how; }
};

std::string refusal(const Config& config) {
  TestLog log;
  try {
    run(config, log, true);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_SUITE("recipe") {
  TEST_CASE("a fine-tuning run leaves a loadable adapter, a plot and the numbers of its JSON") {
    const Scratch scratch;
    TestLog log;
    const Config config = scratch.config();
    const Result result = run(config, log, true);
    CHECK(log.status == "succeeded");
    CHECK(log.losses == 12);
    CHECK(result.training.validation_loss_after < result.training.validation_loss_before);
    const nlohmann::json json = to_json(result);
    for (const char* name : {"tokens", "supervised_tokens", "seconds", "tokens_per_second", "steps",
                             "peak_rss_bytes", "validation_loss_before", "validation_loss_after"})
      CHECK(json.at(name).get<double>() > 0);
    CHECK(json.at("steps") == 12);

    const checkpoint::Adapter adapter = checkpoint::load_adapter(config.output);
    CHECK(adapter.rank == 8);
    CHECK(adapter.scale == doctest::Approx(2.0f));
    CHECK(adapter.tensors.size() == 2 * 7 * 3);
    engine::load_language_model(config.model, tensor::Compute::kFloat32, config.output);
    CHECK(fs::exists(fs::path(config.output) / "loss.svg"));
    CHECK_FALSE(fs::exists(fs::path(config.output) / "best"));
    const std::string page = to_page(config, result);
    CHECK(contains(page, "validation loss"));
    CHECK(contains(page, "Name a colour."));
    CHECK(contains(page, "mlx-toolkit chat"));
  }

  TEST_CASE("what all rows begin with is computed once, unless that is turned off") {
    const Scratch scratch;
    TestLog log;
    Config config = scratch.config();
    const nlohmann::json shared = to_json(run(config, log, true));
    CHECK(shared.at("shared_prefix").get<int>() >= 8);
    config.share_prefix = false;
    const nlohmann::json apart = to_json(run(config, log, true));
    CHECK(apart.at("shared_prefix") == 0);
    CHECK(apart.at("tokens") == shared.at("tokens"));
    CHECK(shared.at("linear_flops_per_step").get<double>() <
          apart.at("linear_flops_per_step").get<double>());
    CHECK(apart.at("computed_tokens_per_step").get<int>() > 200);
    CHECK(shared.at("computed_tokens_per_step").get<int>() <
          0.85 * apart.at("computed_tokens_per_step").get<int>());
    for (const char* name : {"validation_loss_before", "validation_loss_after"})
      CHECK(shared.at(name).get<double>() ==
            doctest::Approx(apart.at(name).get<double>())
                .epsilon(name == std::string("validation_loss_before") ? 1e-5 : 0.05));
  }

  TEST_CASE("full fine-tuning does half as much again in its linear layers as LoRA") {
    const Scratch scratch;
    TestLog log;
    Config config = scratch.config();
    config.steps = 1;
    const double branches = run(config, log, true).linear_flops_per_step;
    config.method = "full";
    config.output += "-full";
    CHECK(run(config, log, true).linear_flops_per_step == doctest::Approx(1.5 * branches));
  }

  TEST_CASE("a run interrupted and resumed gives the adapter of the whole run, bit for bit") {
    const Scratch scratch;
    TestLog whole_log, first_log, second_log;
    Config whole = scratch.config();
    whole.output = (scratch.folder / "whole").string();
    run(whole, whole_log, true);

    Config parts = scratch.config();
    first_log.at_step = [](int64_t step) {
      if (step == 5) std::raise(SIGINT);
    };
    const Result stopped = run(parts, first_log, true);
    CHECK(first_log.status == "interrupted");
    CHECK(stopped.training.interrupted);
    CHECK(stopped.training.steps == 5);
    CHECK_NOTHROW(checkpoint::load_adapter(parts.output));
    CHECK(contains(to_page(parts, stopped), "--resume"));

    InterruptGuard::clear();
    parts.resume = true;
    const Result resumed = run(parts, second_log, true);
    CHECK(resumed.training.steps == 12);
    CHECK(second_log.losses == 7);
    const auto expected = checkpoint::load_adapter(whole.output).tensors;
    for (const auto& [name, array] : checkpoint::load_adapter(parts.output).tensors)
      CHECK(mx::array_equal(array, expected.at(name)).item<bool>());

    parts.rank = 4;
    CHECK(contains(refusal(parts), "rank: was 8, now 4"));
    parts.share_prefix = false;
    CHECK(contains(refusal(parts), "now 0"));
    CHECK(contains(refusal(parts), "shared_prefix: was "));
  }

  TEST_CASE("whatever moment a run dies at, what it saved before can be loaded") {
    const Scratch scratch;
    Config config = scratch.config();
    config.save_every = 3;
    TestLog log;
    log.at_step = [&](int64_t step) {
      if (step == 5) throw std::runtime_error("the machine stops here");
    };
    CHECK_THROWS(run(config, log, true));
    CHECK_NOTHROW(checkpoint::load_adapter(config.output));
    const Checkpoint checkpoint = find_checkpoint(config.output);
    CHECK_NOTHROW(checkpoint::load_adapter(checkpoint.folder));
    const auto state = engine::load_training_state(checkpoint.state());
    REQUIRE(state);
    CHECK(state->step == 3);
  }
}

TEST_SUITE("recipe") {
  TEST_CASE("every optimizer and schedule learns, interrupted or not") {
    const Scratch scratch;
    for (const char* optimizer : {"adamw8bit", "adafactor", "lion", "sgd", "muon"}) {
      CAPTURE(optimizer);
      Config config = scratch.config();
      config.optimizer = optimizer;
      config.schedule = "wsd";
      config.accumulate = 2;
      config.steps = 8;
      config.sample = 0;
      if (config.optimizer == "sgd") config.learning_rate = 1;
      config.output = (scratch.folder / "whole").string();
      TestLog log, first_log, second_log;
      const Result whole = run(config, log, true);
      CHECK(whole.training.validation_loss_after < whole.training.validation_loss_before);
      CHECK(to_json(whole).at("optimizer") == optimizer);
      CHECK(contains(to_page(config, whole), "2 batches"));
      const auto expected = checkpoint::load_adapter(config.output).tensors;

      config.output = (scratch.folder / "parts").string();
      first_log.at_step = [](int64_t step) {
        if (step == 3) std::raise(SIGINT);
      };
      run(config, first_log, true);
      InterruptGuard::clear();
      config.resume = true;
      run(config, second_log, true);
      for (const auto& [name, array] : checkpoint::load_adapter(config.output).tensors)
        CHECK(mx::array_equal(array, expected.at(name)).item<bool>());
    }
  }

  TEST_CASE("a run without improvement stops early and its best adapter is kept") {
    const Scratch scratch;
    Config config = scratch.config();
    config.steps = 40;
    config.validate_every = 2;
    config.patience = 3;
    config.min_delta = 100;  // only the first validation counts as an improvement
    config.save_every = 0;
    config.keep = 1;
    TestLog log;
    const Result result = run(config, log, true);
    CHECK(result.training.stopped_early);
    CHECK(result.training.steps == 8);
    CHECK(to_json(result).at("stop_reason") == "early_stop");
    CHECK(contains(to_page(config, result), "did not improve 3 times"));
    CHECK(find_checkpoint(config.output).step == 8);
    // Resumed, it stays stopped.
    config.resume = true;
    TestLog again;
    CHECK(run(config, again, true).training.steps == 8);
    CHECK(again.losses == 0);
  }

  TEST_CASE("a run goes on from a checkpoint of another folder and keeps that run's best") {
    const Scratch scratch;
    Config config = scratch.config();
    config.save_every = 3;
    config.validate_every = 3;
    config.keep = 9;
    TestLog log;
    run(config, log, true);
    const auto expected = checkpoint::load_adapter(config.output).tensors;
    config.resume_from = config.output + "/checkpoints/step-000006";
    config.output = (scratch.folder / "second").string();
    TestLog second;
    CHECK(run(config, second, true).training.steps == 12);
    CHECK(second.losses == 6);
    for (const auto& [name, array] : checkpoint::load_adapter(config.output).tensors)
      CHECK(mx::array_equal(array, expected.at(name)).item<bool>());
    std::ofstream(fs::path(config.data) / "train.jsonl", std::ios::app)
        << R"({"messages": [{"role": "user", "content": "Name a colour."}, )"
        << R"({"role": "assistant", "content": "The colour is grey."}]})" << "\n";
    CHECK(contains(refusal(config), "training_data: was"));
  }
}

TEST_SUITE("unit") {
  TEST_CASE("impossible inputs are refused with what would work") {
    const Scratch scratch;
    Config config = scratch.config();
    config.rank = 64;
    CHECK(contains(refusal(config), "rank"));
    config = scratch.config();
    config.layers = 0;
    CHECK(contains(refusal(config), "-1 for all"));
    config = scratch.config();
    config.layers = 9;
    CHECK(contains(refusal(config), "3 layers"));
    config = scratch.config();
    config.targets = {"q_prog"};
    CHECK(contains(refusal(config), "self_attn.q_proj"));
    config = scratch.config();
    config.max_length = 5000;
    CHECK(contains(refusal(config), "at most 256"));
    config = scratch.config();
    config.model = "no/such/model";
    CHECK(contains(refusal(config), "no/such/model"));
    config = scratch.config();
    config.resume = true;
    CHECK(contains(refusal(config), "no checkpoint in"));
    config = scratch.config();
    config.warmup = 12;
    CHECK(contains(refusal(config), "warmup"));
    config = scratch.config();
    config.patience = 2;
    CHECK(contains(refusal(config), "--validate-every"));
    config = scratch.config();
    config.optimizer = "sgd";
    config.nesterov = true;
    CHECK(contains(refusal(config), "--momentum"));
  }

  TEST_CASE("empty, broken and fully cut data sets are refused by line") {
    const Scratch scratch;
    Config config = scratch.config();
    config.max_length = 8;
    CHECK(contains(refusal(config), "larger --max-length"));
    config = scratch.config();
    const fs::path rows = fs::path(config.data) / "train.jsonl";
    std::ofstream(rows, std::ios::app) << "{\"messages\": 3}\n";
    CHECK(contains(refusal(config), "train.jsonl:25"));
    config.skip_bad_rows = true;
    TestLog log;
    CHECK(run(config, log, true).train_rows == 24);
    std::ofstream(rows, std::ios::trunc) << "{\"messages\": 3}\n";
    CHECK(contains(refusal(config), "no usable row"));
    config.data = (scratch.folder / "nowhere").string();
    CHECK(contains(refusal(config), "nowhere"));
  }

  TEST_CASE("a rank that is chosen fits the model's narrowest matrix") {
    const Scratch scratch;
    Config config = scratch.config();
    config.rank = kAuto;
    config.steps = 1;
    TestLog log;
    const int rank = run(config, log, true).rank;
    CHECK(rank >= 4);
    CHECK(rank <= 16);  // keys and values are 16 wide
  }

  TEST_CASE("answers of a single token are told") {
    const Scratch scratch;
    const auto tells = [&](const std::string& answer) {
      std::ofstream(scratch.folder / "data/train.jsonl")
          << R"({"prompt": "One", "completion": ")" << answer << "\"}\n";
      const std::vector<std::string> notes = prepare(scratch.config()).notes;
      return std::any_of(notes.begin(), notes.end(), [](const std::string& note) {
        return note.find("single token") != std::string::npos;
      });
    };
    CHECK(tells("A"));
    CHECK_FALSE(tells("Aquamarine"));
  }

  TEST_CASE("an output folder that cannot be made is found out before the model loads") {
    const Scratch scratch;
    Config config = scratch.config();
    config.output = (scratch.folder / "data" / "train.jsonl" / "out").string();
    CHECK(contains(refusal(config), "cannot be made"));
  }
}

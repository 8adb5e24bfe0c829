#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/interrupt.h"
#include "core/base/testing.h"
#include "core/checkpoint/adapter.h"
#include "core/report/run_log.h"
#include "mlx/mlx.h"
#include "projects/finetune/config.h"
#include "projects/finetune/page.h"
#include "projects/finetune/run.h"

using namespace toolkit;
using namespace toolkit::finetune;
namespace fs = std::filesystem;
using testing::contains;

namespace {

/// A folder of its own with pairs in which one of two colours is always the better answer.
struct Scratch {
  const testing::TestingFolder own;
  fs::path folder = own.path;
  Scratch() {
    fs::create_directories(folder / "data");
    const char* places[] = {"house", "garden", "street", "river", "field", "tower"};
    for (const char* split : {"train", "valid"}) {
      std::ofstream file(folder / "data" / (std::string(split) + ".jsonl"));
      for (int i = 0; i < (split == std::string("train") ? 24 : 6); ++i)
        file << nlohmann::json{{"prompt", std::string("Name a colour of the ") + places[i % 6]},
                               {"chosen", "The colour is green."},
                               {"rejected", i % 2 ? "The colour is red, red, red." : "No idea."}}
             << "\n";
    }
  }

  Config config(const std::string& objective) const {
    Config config;
    config.objective = objective;
    config.model = std::string(TOOLKIT_FIXTURES) + "/models/llama";
    config.data = (folder / "data").string();
    config.output = (folder / "out").string();
    config.max_length = 128;
    config.batch_tokens = 512;
    config.learning_rate = 1e-2;
    config.steps = 10;
    config.sample = 0;
    return config;
  }
};

struct TestLog : report::RunLog {
  std::function<void(int64_t)> at_step;
  std::map<std::string, int> metrics;
  void parameters(const nlohmann::json&) override {}
  void metric(const std::string& name, int64_t step, double) override {
    ++metrics[name];
    if (name == "train_loss" && at_step) at_step(step);
  }
  void artifact(const fs::path&, const std::string&) override {}
  void finish(const std::string&, const nlohmann::json&) override {}
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
  TEST_CASE("DPO and ORPO of every method: chosen answers win and a resumed run is the whole run") {
    const Scratch scratch;
    for (const auto& [objective, method] : std::vector<std::pair<std::string, std::string>>{
             {"dpo", "lora"}, {"dpo", "full"}, {"dpo", "dora"}, {"orpo", "lora"}}) {
      CAPTURE(objective);
      CAPTURE(method);
      Config config = scratch.config(objective);
      config.method = method;
      config.accumulate = 2;
      if (method == "full") config.learning_rate = 2e-3;
      config.output = (scratch.folder / (objective + method + "whole")).string();
      TestLog log, first_log, second_log;
      const Result whole = run(config, log, true);
      CHECK(whole.train_rows == 24);
      CHECK(whole.valid_rows == 6);
      CHECK(whole.training.validation_loss_after < whole.training.validation_loss_before);
      const nlohmann::json json = to_json(whole);
      CHECK(json.at("objective") == objective);
      CHECK(json.at("validation_metrics_after").at("reward_accuracy") == 1.0);
      CHECK(json.at("validation_metrics_after").at("reward_margin").get<double>() >
            json.at("validation_metrics_before").at("reward_margin").get<double>());
      CHECK(log.metrics.at("train_reward_margin") == 10);
      CHECK(log.metrics.at("validation_ranking_accuracy") == 2);
      CHECK(contains(to_page(config, whole), "chosen likelier"));
      if (objective == "dpo")
        CHECK(whole.training.validation_loss_before == doctest::Approx(std::log(2)).epsilon(1e-4));

      Config parts = config;
      parts.output = (scratch.folder / (objective + method)).string();
      first_log.at_step = [](int64_t step) {
        if (step == 4) std::raise(SIGINT);
      };
      CHECK(run(parts, first_log, true).training.steps == 4);
      InterruptGuard::clear();
      parts.resume = true;
      run(parts, second_log, true);
      const auto expected = checkpoint::load_adapter(config.output).tensors;
      for (const auto& [name, array] : checkpoint::load_adapter(parts.output).tensors)
        CHECK(mx::array_equal(array, expected.at(name)).item<bool>());
      parts.beta = 0.2;
      CHECK(contains(refusal(parts), "beta: was 0.1, now 0.2"));
    }
  }
}

TEST_SUITE("unit") {
  TEST_CASE("objectives and rows and settings that do not go together are refused") {
    const Scratch scratch;
    Config config = scratch.config("sft");
    CHECK(contains(refusal(config), "--objective dpo or orpo"));
    config.beta = 0.5;
    CHECK(contains(refusal(config), "--beta belongs to"));
    config = scratch.config("orpo");
    config.loss_type = "ipo";
    CHECK(contains(refusal(config), "--objective dpo"));
    config = scratch.config("orpo");
    config.label_smoothing = 0.1;
    CHECK(contains(refusal(config), "not defined"));
    config = scratch.config("dpo");
    config.label_smoothing = 0.1;
    config.loss_type = "hinge";
    CHECK(contains(refusal(config), "--loss-type sigmoid"));
    config.loss_type = "sigmoid";
    config.label_smoothing = 0.5;
    CHECK(contains(refusal(config), "less than 0.5"));
    config = scratch.config("dpo");
    config.max_length = 16;
    CHECK(contains(refusal(config), "larger --max-length"));
    config = scratch.config("dpo");
    std::ofstream(fs::path(config.data) / "valid.jsonl", std::ios::trunc)
        << R"({"prompt": "q", "completion": "a"})" << "\n";
    CHECK(contains(refusal(config), "'chosen' and 'rejected'"));
  }
}

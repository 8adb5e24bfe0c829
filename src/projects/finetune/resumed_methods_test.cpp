#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/interrupt.h"
#include "core/base/testing.h"
#include "core/checkpoint/adapter.h"
#include "core/report/run_log.h"
#include "engine/language_model.h"
#include "mlx/mlx.h"
#include "projects/finetune/config.h"
#include "projects/finetune/page.h"
#include "projects/finetune/run.h"

using namespace toolkit;
using namespace toolkit::finetune;
namespace fs = std::filesystem;
using testing::contains;

namespace {

const std::string kModel = std::string(TOOLKIT_FIXTURES) + "/models/llama";

/// A folder of its own with a small data set.
struct Scratch {
  const testing::TestingFolder own;
  fs::path folder = own.path;
  Scratch() {
    fs::create_directories(folder / "data");
    const char* colours[] = {"red", "blue", "green", "black"};
    for (const char* split : {"train", "valid"}) {
      std::ofstream file(folder / "data" / (std::string(split) + ".jsonl"));
      for (int i = 0; i < (split == std::string("train") ? 24 : 4); ++i)
        file << nlohmann::json{{"prompt", std::string(split) + " colour " + std::to_string(i)},
                               {"completion", std::string("It is ") + colours[i % 4] + "."}}
             << "\n";
    }
  }

  Config config(const std::string& method, const std::string& output) const {
    Config config;
    config.method = method;
    config.model = kModel;
    config.data = (folder / "data").string();
    config.output = (folder / output).string();
    config.max_length = 128;
    config.batch_tokens = 256;
    config.learning_rate = method == "full" ? 1e-3 : 1e-2;
    config.steps = 8;
    config.sample = 0;
    return config;
  }
};

struct TestLog : report::RunLog {
  std::function<void(int64_t)> at_step;
  void parameters(const nlohmann::json&) override {}
  void metric(const std::string& name, int64_t step, double) override {
    if (name == "train_loss" && at_step) at_step(step);
  }
  void artifact(const fs::path&, const std::string&) override {}
  void finish(const std::string&, const nlohmann::json&) override {}
};

mx::array logits_of(const engine::LanguageModel& model) {
  const mx::array ids = mx::reshape(mx::arange(3, 43, mx::int32), {1, 40});
  return model.decoder->logits(model.decoder->hidden(ids));
}

}  // namespace

TEST_SUITE("recipe") {
  TEST_CASE("a run of every method that was stopped and resumed is the whole run bit for bit") {
    const Scratch scratch;
    for (const char* name : {"dora", "pissa", "qlora", "full"}) {
      CAPTURE(name);
      const bool pissa = name == std::string("pissa");
      Config config = scratch.config(pissa ? "lora" : name, std::string(name) + "-whole");
      if (pissa) config.init = "pissa";
      if (config.method == "qlora") config.quantize_group = 32;
      if (config.method == "dora") config.dropout = 0.1;
      TestLog log, first_log, second_log;
      const Result whole = run(config, log, true);
      CHECK(whole.training.validation_loss_after < whole.training.validation_loss_before);
      const auto expected = checkpoint::load_adapter(config.output).tensors;

      config.output = (scratch.folder / name).string();
      first_log.at_step = [](int64_t step) {
        if (step == 3) std::raise(SIGINT);
      };
      CHECK(run(config, first_log, true).training.interrupted);
      InterruptGuard::clear();
      config.resume = true;
      CHECK(run(config, second_log, true).training.steps == 8);
      const auto found = checkpoint::load_adapter(config.output).tensors;
      CHECK(found.size() == expected.size());
      for (const auto& [tensor, array] : found)
        CHECK(mx::array_equal(array, expected.at(tensor)).item<bool>());
    }
  }

  TEST_CASE("full fine-tuning leaves a Hugging Face folder that is the base with its weights") {
    const Scratch scratch;
    const Config config = scratch.config("full", "out");
    TestLog log;
    for (int again = 0; again < 2; ++again) {  // the second run replaces the folder of the first
      const Result result = run(config, log, true);
      const fs::path folder = fs::path(config.output) / "model";
      CHECK(result.model == folder);
      CHECK(to_json(result).at("model") == folder.string());
      CHECK(contains(to_page(config, result), "mlx-toolkit chat --model " + folder.string()));
      for (const char* file : {"config.json", "model.safetensors", "tokenizer.json"})
        CHECK(fs::exists(folder / file));
    }
    const auto compute = tensor::Compute::kFloat32;
    const mx::array base = logits_of(engine::load_language_model(kModel, compute));
    const mx::array adapted =
        logits_of(engine::load_language_model(kModel, compute, config.output));
    const mx::array alone = logits_of(
        engine::load_language_model((fs::path(config.output) / "model").string(), compute));
    CHECK(mx::array_equal(alone, adapted).item<bool>());
    CHECK_FALSE(mx::allclose(alone, base, 1e-3, 1e-3).item<bool>());
  }

  TEST_CASE("several files are mixed by weight and what training has seen of the rest is told") {
    const Scratch scratch;
    Config config = scratch.config("lora", "out");
    config.steps = 1;
    const std::string one = config.data + "/train.jsonl", two = config.data + "/valid.jsonl";
    std::ofstream(two, std::ios::app)
        << R"({"prompt": "train colour 1", "completion": "It is blue."})" << "\n"
        << R"({"prompt": "train colour 2", "completion": "It is pink."})" << "\n";
    TestLog log;
    const auto notes_of = [&](const Config& given) {
      std::string all;
      for (const std::string& note : run(given, log, true).notes) all += note + "\n";
      return all;
    };
    std::string notes = notes_of(config);
    CHECK(contains(notes,
                   "1 of 6 validation rows stand in the training rows too (the first: line "
                   "5, in train line 2)"));
    CHECK(contains(notes, "1 of 6 validation rows ask what a training row asks"));
    config.data = one + ":0.5," + two + ":0.5";
    config.output = (scratch.folder / "mixed").string();
    notes = notes_of(config);
    CHECK(contains(notes, one + ": 5 of its 22 training rows are in the mixture"));
    CHECK(contains(notes, two + ": 5 of its 5 training rows are in the mixture"));
  }
}

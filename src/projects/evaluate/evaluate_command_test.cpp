#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/testing.h"
#include "core/checkpoint/adapter.h"
#include "mlx/mlx.h"
#include "models/resolve.h"
#include "projects/evaluate/command.h"
#include "projects/evaluate/run.h"

namespace toolkit::evaluate {

namespace {

using testing::TestingFolder;

const std::string kModel = (std::filesystem::path(TOOLKIT_FIXTURES) / "models" / "llama").string();

const char* const kRows =
    R"({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello there"}]})"
    "\n"
    R"({"messages": [{"role": "user", "content": "One"}, {"role": "assistant", "content": "Two three"}]})"
    "\n"
    R"({"messages": [{"role": "user", "content": "A"}, {"role": "assistant", "content": "Some more words."}]})"
    "\n";

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("evaluate reports loss, perplexity and their intervals") {
    const TestingFolder folder;
    folder.write("test.jsonl", kRows);
    folder.write("valid.jsonl", "broken");
    const Result result = run({.model = kModel, .data = folder.path.string()}, true);
    CHECK(result.split == "test");
    CHECK(result.rows == 3);
    CHECK(result.supervised_tokens > 5);
    CHECK(result.base->loss.value > 3.0);  // random weights: near log(320)
    CHECK(result.base->loss.value < 9.0);
    CHECK(result.base->loss.low < result.base->loss.value);
    CHECK(result.base->perplexity.value == doctest::Approx(std::exp(result.base->loss.value)));
    CHECK_FALSE(result.tuned);
    const Result first =
        run({.model = kModel, .data = (folder.path / "test.jsonl").string(), .limit = 1}, true);
    CHECK(first.rows == 1);
  }

  TEST_CASE("an adapter without effect changes nothing - one with effect is compared") {
    const TestingFolder folder;
    folder.write("rows.jsonl", kRows);
    checkpoint::Adapter adapter{.rank = 2, .scale = 1.0f, .keys = {"mlp.down_proj"}};
    const std::string module = "model.layers.2.mlp.down_proj";
    adapter.tensors.emplace(module + ".lora_a", mx::ones({64, 2}));
    adapter.tensors.emplace(module + ".lora_b", mx::zeros({2, 32}));
    checkpoint::save_adapter(folder.path / "adapter", adapter);
    Config config{.model = kModel,
                  .data = (folder.path / "rows.jsonl").string(),
                  .adapter = (folder.path / "adapter").string()};
    const Result same = run(config, true);
    REQUIRE(same.tuned);
    CHECK(same.tuned->loss.value == doctest::Approx(same.base->loss.value));
    CHECK(same.reduction->value == doctest::Approx(0.0).epsilon(1e-9));
    adapter.tensors.insert_or_assign(module + ".lora_b", mx::full({2, 32}, 3.0f));
    checkpoint::save_adapter(folder.path / "adapter", adapter);
    const Result changed = run(config, true);
    CHECK(std::abs(changed.reduction->value) > 1e-3);
    CHECK(changed.base->loss.value == doctest::Approx(same.base->loss.value));
  }

  TEST_CASE("bad input names file and line") {
    const TestingFolder folder;
    folder.write("test.jsonl", std::string(kRows) + "{\"nothing\": 1}\n");
    const auto message = [&](const Config& config) -> std::string {
      try {
        run(config, true);
      } catch (const Error& error) {
        return error.what();
      }
      return "no error";
    };
    CHECK(message({.model = kModel, .data = folder.path.string()}).find("test.jsonl:4") !=
          std::string::npos);
    CHECK(message({.model = kModel, .data = "/no/such/data"}).find("/no/such/data") !=
          std::string::npos);
    CHECK(message({.model = kModel, .data = folder.path.string(), .split = "valid"})
              .find("valid.jsonl") != std::string::npos);
    folder.write("test.jsonl", "");
    CHECK(message({.model = kModel, .data = folder.path.string()}).find("no rows") !=
          std::string::npos);
  }
}

TEST_SUITE("reference") {
  TEST_CASE("the loss of SmolLM2 on rows of the dictionary is transformers'") {
    std::filesystem::path sample;
    for (const models::SampleModel& model : models::sample_models()) sample = model.path;
    if (sample.empty()) {
      std::printf("SKIPPED: sample://smollm2-135m is not installed (scripts/setup)\n");
      return;
    }
    // tests/fixtures/smollm2/expected.json: rows_loss, rows_tokens, rows_supervised of the first 8
    // rows.
    const std::filesystem::path data =
        std::filesystem::path(TOOLKIT_SOURCE_DIR) / "examples/data/dictionary";
    const Result result =
        run({.model = sample.string(), .data = data.string(), .split = "train", .limit = 8}, true);
    CHECK(result.tokens == 511);
    CHECK(result.supervised_tokens == 208);
    CHECK(result.base->loss.value == doctest::Approx(3.8444552).epsilon(1e-4));
  }
}

}  // namespace toolkit::evaluate

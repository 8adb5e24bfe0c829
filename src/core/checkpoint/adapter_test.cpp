#include "core/checkpoint/adapter.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <iostream>

#include "core/base/json.h"
#include "core/base/testing.h"
#include "core/checkpoint/input_file.h"
#include "core/checkpoint/safetensors.h"
#include "mlx/mlx.h"

namespace toolkit::checkpoint {

namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::TestingFolder;

Adapter small_adapter() {
  Adapter adapter{.rank = 2, .scale = 4.0f, .keys = {"self_attn.q_proj"}, .base_model = "tiny"};
  for (const char* layer : {"1", "2"}) {
    const std::string path = std::string("model.layers.") + layer + ".self_attn.q_proj";
    adapter.tensors.emplace(path + ".lora_a", mx::random::normal({32, 2}));
    adapter.tensors.emplace(path + ".lora_b", mx::random::normal({2, 32}));
  }
  adapter.num_layers = 2;
  return adapter;
}

std::string refusal(const fs::path& folder, ErrorKind kind) {
  return testing::refusal_of([&] { load_adapter(folder); }, kind);
}

int run_python(const std::string& arguments) {
  const std::string command = std::string("'") + std::getenv("TOOLKIT_PEERS_PYTHON") + "' '" +
                              TOOLKIT_SOURCE_DIR + "/scripts/reference/mlx_lm_adapter.py' " +
                              arguments;
  return std::system(command.c_str());
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("an adapter that is saved is loaded again - the layout is mlx-lm's") {
    const TestingFolder folder;
    const Adapter saved = small_adapter();
    save_adapter(folder.path / "new/adapter", saved);
    const Adapter loaded = load_adapter(folder.path / "new/adapter");
    CHECK(loaded.rank == 2);
    CHECK(loaded.scale == 4.0f);
    CHECK(loaded.num_layers == 2);
    CHECK(loaded.keys == saved.keys);
    CHECK(loaded.base_model == "tiny");
    REQUIRE(loaded.tensors.size() == saved.tensors.size());
    for (const auto& [name, tensor] : saved.tensors)
      CHECK(mx::array_equal(loaded.tensors.at(name), tensor).item<bool>());
    const Json config =
        Json::parse(read_text(folder.path / "new/adapter/adapter_config.json", 10000));
    CHECK(config.at("fine_tune_type") == "lora");
    CHECK(config.at("lora_parameters").at("rank") == 2);
    CHECK(config.at("num_layers") == 2);
  }

  TEST_CASE("every tensor that does not fit is named") {
    const TestingFolder folder;
    Adapter adapter = small_adapter();
    adapter.tensors.emplace("model.layers.0.lora_a", mx::zeros({4, 3}));
    adapter.tensors.emplace("model.layers.0.m", mx::zeros({4}));
    adapter.tensors.insert_or_assign("model.layers.1.self_attn.q_proj.lora_b",
                                     mx::zeros({2, 32}, mx::int32));
    adapter.tensors.insert_or_assign("model.layers.2.self_attn.q_proj.lora_b", mx::zeros({32, 2}));
    save_adapter(folder.path, adapter);
    const std::string message = refusal(folder.path, ErrorKind::kUserInput);
    CHECK(contains(message, "model.layers.0.lora_a is there without model.layers.0.lora_b"));
    CHECK(contains(message, "model.layers.0.lora_a is (4, 3), expected (in, 2)"));
    CHECK(contains(message, "model.layers.0.m is not part of a lora adapter"));
    CHECK(contains(message, "1.self_attn.q_proj.lora_b is I32"));
    CHECK(contains(message, "2.self_attn.q_proj.lora_b is (32, 2), expected (2, out)"));
  }

  TEST_CASE("configurations that are missing, foreign or impossible") {
    const TestingFolder folder;
    CHECK(contains(refusal(folder.path / "absent", ErrorKind::kNotFound), "expected a folder"));
    CHECK(contains(refusal(folder.path, ErrorKind::kNotFound), "no adapters.safetensors"));
    folder.write("adapter_model.bin", "x");
    CHECK(contains(refusal(folder.path, ErrorKind::kUnsupported), "pickle"));
    save_adapter(folder.path, small_adapter());
    const auto with = [&](const std::string& config, ErrorKind kind = ErrorKind::kUserInput) {
      folder.write("adapter_config.json", config);
      return refusal(folder.path, kind);
    };
    CHECK(with(R"({"lora_parameters": {"rank": 2, "scale": 20.0, "keys": null}})").empty());
    CHECK(contains(with(R"({"lora_parameters": {"rank": 3, "scale": 20.0}})"),
                   "no lora adapter of rank 3"));
    CHECK(contains(with(R"({"lora_parameters": {"rank": 0, "scale": 20.0}})"), "found 0"));
    CHECK(contains(with(R"({"lora_parameters": {"rank": 2.5, "scale": 20.0}})"), "whole number"));
    CHECK(contains(with(R"({"lora_parameters": {"rank": 2}})"), "\"scale\""));
    CHECK(contains(with(R"({"lora_parameters": {"rank": 2, "scale": 1e99}})"), "\"scale\""));
    CHECK(
        contains(with(R"({"lora_parameters": {"rank": 2, "scale": 1, "keys": [1]}})"), "\"keys\""));
    CHECK(contains(
        with(R"({"fine_tune_type": "ia3", "lora_parameters": {}})", ErrorKind::kUnsupported),
        "ia3"));
    CHECK(contains(with(R"({"peft_type": "LORA"})"), "PEFT"));
    folder.write("adapter_model.safetensors", "x");
    CHECK(contains(refusal(folder.path, ErrorKind::kUserInput), "found both"));
    fs::remove(folder.path / "adapter_model.safetensors");
    CHECK(contains(with("{}"), "\"lora_parameters\""));
    CHECK(contains(with("[]"), "JSON object"));
    CHECK(contains(with("{"), "adapter_config.json:1:"));
  }

  TEST_CASE("a run that was killed between its two files leaves a pair that fits") {
    const TestingFolder folder;
    save_adapter(folder.path, small_adapter());
    const std::string old_config = read_text(folder.path / "adapter_config.json", 10000);
    Adapter other = small_adapter();
    other.scale = 7.0f;
    save_adapter(folder.path, other);
    folder.write("adapter_config.json", old_config);
    using namespace std::chrono_literals;
    fs::last_write_time(folder.path / "adapter_config.json",
                        fs::last_write_time(folder.path / "adapters.safetensors") - 1s);
    CHECK(load_adapter(folder.path).scale == 7.0f);
    fs::remove(folder.path / "adapter_config.json");
    CHECK(load_adapter(folder.path).scale == 7.0f);
    folder.write("adapter_config.json", old_config);  // newer: somebody's wish
    CHECK(load_adapter(folder.path).scale == 4.0f);
  }
}

TEST_SUITE("reference") {
  TEST_CASE("mlx-lm's own adapter is read") {
    const Adapter adapter = load_adapter(fs::path(TOOLKIT_FIXTURES) / "checkpoint/mlx_lm_adapter");
    CHECK(adapter.rank == 2);
    CHECK(adapter.scale == 20.0f);
    CHECK(adapter.num_layers == 1);
    CHECK(adapter.keys == std::vector<std::string>{"self_attn.q_proj", "mlp.down_proj"});
    CHECK(adapter.tensors.at("model.layers.2.self_attn.q_proj.lora_a").shape() == mx::Shape{32, 2});
    CHECK(adapter.tensors.at("model.layers.2.mlp.down_proj.lora_b").shape() == mx::Shape{2, 32});
    CHECK(adapter.tensors.size() == 4);
  }

  TEST_CASE("mlx-lm loads the adapter that we write") {
    if (std::getenv("TOOLKIT_PEERS_PYTHON") == nullptr) {
      std::cout << "SKIPPED: set TOOLKIT_PEERS_PYTHON to a Python with mlx-lm\n";
      return;
    }
    const TestingFolder folder;
    save_adapter(folder.path, small_adapter());
    CHECK(run_python("check '" + folder.path.string() + "'") == 0);
  }
}

}  // namespace toolkit::checkpoint

#include <doctest/doctest.h>

#include <cmath>

#include "core/base/json.h"
#include "core/base/testing.h"
#include "core/checkpoint/adapter.h"
#include "core/checkpoint/input_file.h"
#include "core/checkpoint/safetensors.h"
#include "mlx/mlx.h"

namespace toolkit::checkpoint {

namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::TestingFolder;

const std::string kUp0 = "model.layers.0.mlp.up_proj", kUp1 = "model.layers.1.mlp.up_proj";

/// Two layers; the second has a rank and a scale of its own.
Adapter uneven(AdapterMethod method) {
  Adapter adapter{.method = method,
                  .rank = 4,
                  .scale = 2.0f,
                  .rank_pattern = {{kUp1, 2}},
                  .scale_pattern = {{kUp1, 4.0f}},
                  .dropout = 0.25f,
                  .keys = {"mlp.up_proj"},
                  .base_model = "tiny"};
  for (const auto& [module, rank] : {std::pair(kUp0, 4), {kUp1, 2}}) {
    adapter.tensors.emplace(module + ".lora_a", mx::random::normal({8, rank}));
    adapter.tensors.emplace(module + ".lora_b", mx::random::normal({rank, 6}));
    if (method == AdapterMethod::kDora)
      adapter.tensors.emplace(module + ".m", mx::random::uniform(1.0, 2.0, {6}, mx::float32));
  }
  return adapter;
}

bool same_values(const mx::array& a, const mx::array& b) {
  return mx::array_equal(a, b).item<bool>();
}

/// scale a b of one module.
mx::array product(const Adapter& adapter, const std::string& module) {
  return mx::multiply(
      mx::matmul(adapter.tensors.at(module + ".lora_a"), adapter.tensors.at(module + ".lora_b")),
      mx::array(adapter.scale_of(module)));
}

Json config_in(const fs::path& folder) {
  return Json::parse(read_text(folder / "adapter_config.json", 100000));
}

std::string refusal(const fs::path& folder, ErrorKind kind) {
  return testing::refusal_of([&] { load_adapter(folder); }, kind);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("PEFT's layout: every method but full comes back tensor for tensor") {
    for (const AdapterMethod method : {AdapterMethod::kLora, AdapterMethod::kDora}) {
      const TestingFolder folder;
      const Adapter saved = uneven(method);
      save_adapter(folder.path, saved, AdapterLayout::kPeft);
      CHECK(adapter_layout_of(folder.path) == AdapterLayout::kPeft);
      const Adapter loaded = load_adapter(folder.path);
      CHECK(loaded.method == method);
      CHECK(loaded.rank == 4);
      CHECK(loaded.scale == 2.0f);
      CHECK(loaded.rank_pattern == saved.rank_pattern);
      CHECK(loaded.scale_pattern == saved.scale_pattern);
      CHECK(loaded.dropout == 0.25f);
      CHECK(loaded.keys == saved.keys);
      CHECK(loaded.base_model == "tiny");
      REQUIRE(loaded.tensors.size() == saved.tensors.size());
      for (const auto& [name, tensor] : saved.tensors)
        CHECK(same_values(loaded.tensors.at(name), tensor));
    }
  }

  TEST_CASE("PEFT's configuration: alpha from scale and rank - layers where they are a choice") {
    const TestingFolder folder;
    Adapter adapter = uneven(AdapterMethod::kDora);
    save_adapter(folder.path, adapter, AdapterLayout::kPeft);
    Json config = config_in(folder.path);
    CHECK(config.at("peft_type") == "LORA");
    CHECK(config.at("task_type") == "CAUSAL_LM");
    CHECK(config.at("r") == 4);
    CHECK(config.at("lora_alpha") == 8);
    CHECK(config.at("use_dora") == true);
    CHECK(config.at("target_modules") == Json::array({"up_proj"}));
    CHECK(config.at("rank_pattern") == Json{{kUp1, 2}});
    CHECK(config.at("alpha_pattern").empty());  // 4 * 2 is the same alpha
    CHECK(config.at("layers_to_transform").is_null());
    const auto stored = load_safetensors(folder.path / "adapter_model.safetensors");
    CHECK(stored.at("base_model.model." + kUp1 + ".lora_A.weight").shape() == mx::Shape{2, 8});
    CHECK(stored.at("base_model.model." + kUp1 + ".lora_B.weight").shape() == mx::Shape{6, 2});
    CHECK(stored.at("base_model.model." + kUp1 + ".lora_magnitude_vector").shape() == mx::Shape{6});

    adapter.num_layers = 2;
    adapter.use_rslora = true;
    adapter.scale_pattern.clear();
    save_adapter(folder.path, adapter, AdapterLayout::kPeft);
    config = config_in(folder.path);
    CHECK(config.at("layers_to_transform") == Json::array({0, 1}));
    CHECK(config.at("use_rslora") == true);
    CHECK(config.at("lora_alpha") == 4);  // 2 * sqrt(4)
    const Adapter loaded = load_adapter(folder.path);
    CHECK(loaded.use_rslora);
    CHECK(loaded.scale_of(kUp0) == 2.0f);
    CHECK(loaded.scale_of(kUp1) == doctest::Approx(2.0));
  }

  TEST_CASE("mlx-lm's layout has one rank and scale: the product stays") {
    for (const AdapterMethod method : {AdapterMethod::kLora, AdapterMethod::kDora}) {
      const TestingFolder folder;
      const Adapter saved = uneven(method);
      save_adapter(folder.path, saved);
      const auto stored = load_safetensors(folder.path / "adapters.safetensors");
      CHECK(stored.at(kUp1 + ".lora_a").shape() == mx::Shape{8, 4});
      CHECK(stored.at(kUp1 + ".lora_b").shape() == mx::Shape{4, 6});
      const Adapter loaded = load_adapter(folder.path);
      CHECK(loaded.method == method);
      CHECK(loaded.tensors.at(kUp1 + ".lora_a").shape() == mx::Shape{8, 2});
      CHECK(loaded.rank_pattern == saved.rank_pattern);
      for (const std::string& module : {kUp0, kUp1})
        CHECK(mx::allclose(product(loaded, module), product(saved, module)).item<bool>());
      if (method == AdapterMethod::kDora)
        CHECK(same_values(loaded.tensors.at(kUp1 + ".m"), saved.tensors.at(kUp1 + ".m")));
    }
  }

  TEST_CASE("whole weights: mlx-lm's layout keeps them - PEFT's has no words for them") {
    const TestingFolder folder;
    Adapter adapter{.method = AdapterMethod::kFull, .num_layers = 1};
    adapter.tensors.emplace(kUp0 + ".weight", mx::random::normal({6, 8}));
    save_adapter(folder.path, adapter);
    CHECK(config_in(folder.path).at("fine_tune_type") == "full");
    const Adapter loaded = load_adapter(folder.path);
    CHECK(loaded.method == AdapterMethod::kFull);
    CHECK(same_values(loaded.tensors.at(kUp0 + ".weight"), adapter.tensors.at(kUp0 + ".weight")));
    CHECK(contains(
        testing::refusal_of([&] { save_adapter(folder.path, adapter, AdapterLayout::kPeft); },
                            ErrorKind::kUserInput),
        "whole weights"));
  }

  TEST_CASE("PEFT adapters whose tensors do not fit are told tensor by tensor") {
    const TestingFolder folder;
    save_adapter(folder.path, uneven(AdapterMethod::kDora), AdapterLayout::kPeft);
    std::map<std::string, mx::array> tensors;
    for (const auto& [name, tensor] : load_safetensors(folder.path / "adapter_model.safetensors"))
      tensors.emplace(name, tensor);
    const std::string root = "base_model.model.";
    tensors.erase(root + kUp0 + ".lora_magnitude_vector");
    tensors.erase(root + kUp1 + ".lora_B.weight");
    tensors.insert_or_assign(root + kUp0 + ".lora_A.weight", mx::zeros({3, 8}));
    tensors.emplace(root + "model.embed_tokens.lora_embedding_A", mx::zeros({4, 8}));
    tensors.emplace(root + "model.layers.1.mlp.gate_proj.lora_A.weight", mx::zeros({4, 8}));
    save_safetensors(folder.path / "adapter_model.safetensors", tensors);
    const std::string message = refusal(folder.path, ErrorKind::kUserInput);
    CHECK(contains(message, kUp0 + ".lora_A.weight is there without " + root + kUp0 +
                                ".lora_magnitude_vector"));
    CHECK(contains(message, "is there without " + root + kUp1 + ".lora_B.weight"));
    CHECK(contains(message, kUp0 + ".lora_A.weight is (3, 8), expected (4, in)"));
    CHECK(contains(message, "lora_embedding_A is not part of a dora adapter"));
    CHECK(contains(message,
                   root + "model.layers.0.mlp.gate_proj.lora_A.weight is missing: other layers"));
  }

  TEST_CASE("PEFT configurations that mean something else are refused by name") {
    const TestingFolder folder;
    save_adapter(folder.path, uneven(AdapterMethod::kLora), AdapterLayout::kPeft);
    const Json good = config_in(folder.path);
    const auto with = [&](const char* key, const Json& value, ErrorKind kind) {
      Json config = good;
      config[key] = value;
      folder.write("adapter_config.json", config.dump());
      return refusal(folder.path, kind);
    };
    CHECK(contains(with("peft_type", "IA3", ErrorKind::kUnsupported), "IA3"));
    CHECK(contains(with("bias", "all", ErrorKind::kUnsupported), "\"bias\": \"all\""));
    CHECK(contains(with("fan_in_fan_out", true, ErrorKind::kUnsupported), "fan_in_fan_out"));
    CHECK(contains(with("modules_to_save", {"lm_head"}, ErrorKind::kUnsupported), "lm_head"));
    CHECK(contains(with("init_lora_weights", "pissa_niter_4", ErrorKind::kUnsupported),
                   "path_initial_model_for_weight_conversion"));
    CHECK(contains(with("rank_pattern", {{".*up_proj", 2}}, ErrorKind::kUnsupported),
                   "regular expression"));
    CHECK(contains(with("rank_pattern", Json::object(), ErrorKind::kUserInput),
                   "(2, 8), expected (4, in)"));
    CHECK(contains(with("r", 0, ErrorKind::kUserInput), "found 0"));
    CHECK(contains(with("lora_alpha", "much", ErrorKind::kUserInput), "\"lora_alpha\""));
    CHECK(contains(with("target_modules", {"up_proj", "q_proj"}, ErrorKind::kUserInput), "q_proj"));
    CHECK(with("rank_pattern", {{"^model\\.layers\\.1\\.mlp\\.up_proj$", 2}}, ErrorKind::kUserInput)
              .empty());
    CHECK(with("target_modules", "all-linear", ErrorKind::kUserInput).empty());
    CHECK(with("alpha_pattern", {{"up_proj", 16}}, ErrorKind::kUserInput).empty());
    CHECK(load_adapter(folder.path).scale_of(kUp0) == 4.0f);
    CHECK(load_adapter(folder.path).scale_of(kUp1) == 8.0f);
  }

  TEST_CASE("zeros beyond a smaller rank are demanded") {
    const TestingFolder folder;
    Adapter adapter = uneven(AdapterMethod::kLora);
    adapter.rank_pattern.clear();
    adapter.tensors.insert_or_assign(kUp1 + ".lora_a", mx::ones({8, 4}));
    adapter.tensors.insert_or_assign(kUp1 + ".lora_b", mx::ones({4, 6}));
    save_adapter(folder.path, adapter);
    Json config = config_in(folder.path);
    config["lora_parameters"]["rank_pattern"] = {{kUp1, 3}};
    folder.write("adapter_config.json", config.dump());
    CHECK(contains(refusal(folder.path, ErrorKind::kUserInput), "zeros beyond rank 3"));
    config["lora_parameters"]["rank_pattern"] = {{kUp1, 5}};
    folder.write("adapter_config.json", config.dump());
    CHECK(contains(refusal(folder.path, ErrorKind::kUserInput), "from 1 to 4"));
  }
}

}  // namespace toolkit::checkpoint

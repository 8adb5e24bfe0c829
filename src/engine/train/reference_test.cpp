#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include "core/base/json.h"
#include "engine/train/testing/reference.h"
#include "engine/train/testing/tiny_model.h"
#include "engine/train/trainer.h"
#include "mlx/mlx.h"

using namespace toolkit;
using namespace toolkit::engine;

namespace {

// The fixture's rows as samples.
std::vector<data::Sample> samples_of(const mx::array& ids, const mx::array& supervised) {
  std::vector<data::Sample> samples;
  for (int row = 0; row < ids.shape(0); ++row) {
    data::Sample sample;
    for (int t = 0; t < ids.shape(1); ++t) {
      sample.ids.push_back(ids.data<int32_t>()[row * ids.shape(1) + t]);
      sample.supervised.push_back(supervised.data<int32_t>()[row * ids.shape(1) + t] != 0);
    }
    samples.push_back(sample);
  }
  return samples;
}

void attach(models::Decoder& model, const std::unordered_map<std::string, mx::array>& expected,
            float scale) {
  for (const auto& [path, layer] : model.linears())
    if (const auto a = expected.find("lora." + path + ".lora_a"); a != expected.end())
      layer->lora = tensor::LoraBranch{a->second, expected.at("lora." + path + ".lora_b"), scale};
}

}  // namespace

TEST_SUITE("reference") {
  TEST_CASE("loss and LoRA gradients equal PEFT's on the same weights, every family, packed") {
    for (const char* family :
         {"llama", "mistral", "qwen2", "qwen3", "smollm3", "gemma2", "gemma3"}) {
      CAPTURE(family);
      const auto folder = std::filesystem::path(TOOLKIT_FIXTURES) / "models" / family;
      const auto arrays = mx::load_safetensors(folder / "expected.safetensors").first;
      const Json numbers = parse_json(read_file(folder / "expected.json"), "expected.json");
      auto model = testing::load_fixture(folder);
      mx::array ids = arrays.at("input_ids"), supervised = arrays.at("supervised");
      mx::eval(ids, supervised);
      // Both rows packed into one: the reference computed them apart.
      const Batches batches(samples_of(ids, supervised), {.rows = 1, .length = 80}, false);
      const double count = numbers.at("supervised_tokens");
      REQUIRE(static_cast<double>(batches.supervised_tokens()) == count);
      CHECK(measure_loss(*model, batches).mean() ==
            doctest::Approx(numbers.at("loss").get<double>()).epsilon(1e-4));

      attach(*model, arrays, numbers.at("lora_scale"));
      TrainableParameters parameters(*model);
      auto [loss, gradients] = loss_and_gradients(*model, parameters, batches.at(0));
      CHECK(loss.item<float>() / count ==
            doctest::Approx(numbers.at("lora_loss").get<double>()).epsilon(1e-4));
      for (size_t i = 0; i < parameters.size(); ++i) {
        CAPTURE(parameters.names()[i]);
        const mx::array mean = mx::divide(gradients[i], mx::array(static_cast<float>(count)));
        CHECK(testing::relative_difference(
                  mean, arrays.at("lora." + parameters.names()[i] + ".grad")) < 2e-3f);
      }
    }
  }
}

TEST_SUITE("recipe") {
  TEST_CASE("rows with a shared prefix equal the samples one by one, every family, windows too") {
    for (const char* family :
         {"llama", "mistral", "qwen2", "qwen3", "smollm3", "gemma2", "gemma3"}) {
      CAPTURE(family);
      const auto folder = std::filesystem::path(TOOLKIT_FIXTURES) / "models" / family;
      auto model = testing::load_fixture(folder);
      attach(*model, mx::load_safetensors(folder / "expected.safetensors").first, 2.0f);
      TrainableParameters parameters(*model);
      // A window of 12 ends within the prefix of 18 tokens for the first tokens behind it.
      const auto samples = testing::samples_behind_prefix(9, 4, 18);
      const auto [loss, gradients] = testing::one_by_one(*model, parameters, samples);
      const BatchShape shape = choose_batch_shape(samples, 1000, true);
      REQUIRE(shape.prefix >= 18);
      const Batches batches(samples, shape, false);
      REQUIRE(batches.per_epoch() == 1);
      for (const bool checkpoint : {false, true}) {
        auto [value, packed] = loss_and_gradients(*model, parameters, batches.at(0),
                                                  {.checkpoint_layers = checkpoint});
        CHECK(value.item<float>() == doctest::Approx(loss).epsilon(1e-5));
        for (size_t i = 0; i < parameters.size(); ++i) {
          CAPTURE(parameters.names()[i]);
          CHECK(testing::relative_difference(packed[i], gradients[i]) < 1e-4f);
        }
      }
    }
  }
}

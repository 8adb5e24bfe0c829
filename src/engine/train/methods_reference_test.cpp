#include <doctest/doctest.h>

#include <filesystem>

#include "core/base/json.h"
#include "engine/train/testing/reference.h"
#include "engine/train/testing/tiny_model.h"
#include "mlx/mlx.h"

using namespace toolkit;
using namespace toolkit::engine;

namespace {

const std::filesystem::path kFixtures = TOOLKIT_FIXTURES;
using testing::Arrays;
using testing::arrays_of;
using testing::relative_difference;

/// The base of scripts/reference/methods.py with its rows packed into one.
struct Base {
  Arrays given = arrays_of(kFixtures / "models/qwen2/expected.safetensors");
  Arrays expected = arrays_of(kFixtures / "methods/qwen2.safetensors");
  Json numbers = parse_json(read_file(kFixtures / "methods/qwen2.json"), "qwen2.json");
  std::unique_ptr<models::Decoder> model = testing::load_fixture(kFixtures / "models/qwen2");
  data::PackedBatch batch = rows();
  double count = static_cast<double>(batch.targets.size());

  data::PackedBatch rows() const {
    mx::array ids = given.at("input_ids"), supervised = given.at("supervised");
    mx::eval(ids, supervised);
    std::vector<data::Sample> samples(static_cast<size_t>(ids.shape(0)));
    for (int i = 0; i < static_cast<int>(ids.size()); ++i) {
      data::Sample& sample = samples[static_cast<size_t>(i / ids.shape(1))];
      sample.ids.push_back(ids.data<int32_t>()[i]);
      sample.supervised.push_back(supervised.data<int32_t>()[i] != 0);
    }
    return Batches(samples, {.rows = 1, .length = 80}, false).at(0);
  }

  void attach(const LoraOptions& options) {
    attach_lora(*model, options);
    for (const auto& [path, layer] : model->linears()) {
      if (!layer->lora || !given.contains("lora." + path + ".lora_a")) continue;
      layer->lora->a = given.at("lora." + path + ".lora_a");
      layer->lora->b = given.at("lora." + path + ".lora_b");
      if (layer->dora) layer->dora->magnitude = expected.at("dora." + path + ".m");
    }
  }

  float loss(const LossOptions& options = {}) {
    return static_cast<float>(loss_sum(*model, batch, options).item<float>() / count);
  }

  doctest::Approx wanted(const char* name) const {
    return doctest::Approx(numbers.at("losses").at(name).get<double>()).epsilon(1e-4);
  }

  void check_gradients(const std::string& method) {
    TrainableParameters parameters(*model);
    for (const bool checkpoint : {false, true}) {
      auto [loss_value, gradients] =
          loss_and_gradients(*model, parameters, batch, {.checkpoint_layers = checkpoint});
      CHECK(loss_value.item<float>() / count == wanted(method.c_str()));
      for (size_t i = 0; i < parameters.size(); ++i) {
        CAPTURE(parameters.names()[i]);
        const mx::array mean = mx::divide(gradients[i], mx::array(static_cast<float>(count)));
        CHECK(relative_difference(
                  mean, expected.at(method + "." + parameters.names()[i] + ".grad")) < 2e-3f);
      }
    }
  }
};

}  // namespace

TEST_SUITE("reference") {
  TEST_CASE("DoRA: loss and gradients of factors and magnitudes equal PEFT's") {
    Base base;
    base.attach({.rank = 2, .scale = 2.0f, .magnitudes = true});
    base.check_gradients("dora");
  }

  TEST_CASE("full fine-tuning: loss and every gradient equal those of transformers") {
    Base base;
    train_fully(*base.model, -1);
    base.check_gradients("full");
  }

  TEST_CASE("rsLoRA and label smoothing: the loss equals PEFT's and torch's") {
    Base base;
    base.attach({.rank = 2, .scale = 4.0f / std::sqrt(2.0f), .rank_stabilized = true});
    CHECK(base.loss() == base.wanted("rslora"));
    base.attach({.rank = 2, .scale = 2.0f});
    const float smoothing = base.numbers.at("smoothing");
    CHECK(base.loss({.regularization = {.label_smoothing = smoothing}}) ==
          base.wanted("label_smoothing"));
  }

  TEST_CASE("PiSSA: the branches begin with the product PEFT begins with") {
    Base base;
    attach_lora(*base.model, {.rank = 4, .scale = 2.0f, .start = BranchStart::kPissa});
    CHECK(base.loss() == base.wanted("pissa"));
    int compared = 0;
    for (const auto& [path, layer] : base.model->linears()) {
      const auto product = base.expected.find("pissa." + path);
      if (product == base.expected.end()) continue;
      ++compared;
      CAPTURE(path);
      CHECK(relative_difference(mx::transpose(mx::matmul(layer->lora->a, layer->lora->b)),
                                product->second) < 5e-3f);
    }
    CHECK(compared == 7);
  }
}

TEST_SUITE("unit") {
  TEST_CASE("DoRA and PiSSA: packed and checkpointed gradients equal the samples one by one") {
    for (const LoraOptions& options :
         {LoraOptions{.rank = 4, .magnitudes = true, .seed = 3},
          LoraOptions{.rank = 4, .start = BranchStart::kPissa, .seed = 3}}) {
      auto model = testing::tiny_model();
      attach_lora(*model, options);
      uint64_t seed = 100;
      for (const auto& [path, layer] : model->linears())
        if (layer->lora)
          layer->lora->b =
              mx::add(layer->lora->b, mx::random::normal(layer->lora->b.shape(), mx::float32, 0.0f,
                                                         0.05f, mx::random::key(seed++)));
      TrainableParameters parameters(*model);
      const auto samples = testing::samples_behind_prefix(7, 4, 12);
      const auto [loss, gradients] = testing::one_by_one(*model, parameters, samples);
      const Batches batches(samples, choose_batch_shape(samples, 1000, true), false);
      auto [kept_loss, kept] = loss_and_gradients(*model, parameters, batches.at(0));
      auto [again_loss, again] =
          loss_and_gradients(*model, parameters, batches.at(0), {.checkpoint_layers = true});
      CHECK(kept_loss.item<float>() == doctest::Approx(loss).epsilon(1e-5));
      for (size_t i = 0; i < parameters.size(); ++i) {
        CAPTURE(parameters.names()[i]);
        const float size = mx::max(mx::abs(gradients[i])).item<float>();
        CHECK(size > 0.0f);
        CHECK(models::testing::largest_difference(kept[i], gradients[i]) < 2e-4f * size);
        CHECK(models::testing::largest_difference(again[i], kept[i]) == 0.0f);
      }
    }
  }
}

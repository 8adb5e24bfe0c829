#include <doctest/doctest.h>

#include <filesystem>

#include "core/base/json.h"
#include "engine/train/preference.h"
#include "engine/train/testing/reference.h"
#include "engine/train/testing/tiny_model.h"
#include "mlx/mlx.h"

using namespace toolkit;
using namespace toolkit::engine;

namespace {

const std::filesystem::path kFixtures = TOOLKIT_FIXTURES;
using testing::Arrays;
using testing::arrays_of;

/// Model, pairs and numbers of scripts/reference/preference.py.
struct Scene {
  Arrays expected = arrays_of(kFixtures / "methods/preference.safetensors");
  Json numbers = parse_json(read_file(kFixtures / "methods/preference.json"), "preference.json");
  std::unique_ptr<models::Decoder> model = load();

  static std::unique_ptr<models::Decoder> load() {
    auto model = testing::load_fixture(kFixtures / "models/llama");
    const Arrays given = arrays_of(kFixtures / "models/llama/expected.safetensors");
    attach_lora(*model, {.rank = 2, .scale = 2.0f});
    for (const auto& [path, layer] : model->linears()) {
      if (!layer->lora) continue;
      layer->lora->a = given.at("lora." + path + ".lora_a");
      layer->lora->b = given.at("lora." + path + ".lora_b");
    }
    return model;
  }

  data::Sample sample(const std::string& pair, const char* answer) {
    data::Sample sample;
    for (const std::string& part : {std::string("prompt"), std::string(answer)}) {
      mx::array ids = expected.at(pair + "." + part);
      mx::eval(ids);
      for (size_t i = 0; i < ids.size(); ++i) {
        sample.ids.push_back(ids.data<int32_t>()[i]);
        sample.supervised.push_back(part != "prompt");
      }
    }
    return sample;
  }

  /// All pairs in one row.
  data::PackedBatch batch(const std::string& what) {
    std::vector<data::Sample> samples;
    for (int i = 0; i < 3; ++i)
      for (const char* answer : {"chosen", "rejected"})
        samples.push_back(sample(what + "." + std::to_string(i), answer));
    return Batches(samples, {.rows = 1, .length = 128, .group = 2}, false).at(0);
  }

  doctest::Approx wanted(const std::string& name) const {
    return doctest::Approx(numbers.at(name).get<double>()).epsilon(1e-4);
  }

  BatchGradients compare(const Objective& objective, const std::string& what,
                         const std::string& name) {
    TrainableParameters parameters(*model);
    const data::PackedBatch pairs = batch(what);
    const auto units = static_cast<float>(objective.units(pairs));
    CHECK(units == 3);
    BatchGradients found = batch_gradients(*model, parameters, pairs, {}, objective);
    CHECK(found.loss.item<float>() / units == wanted(name));
    for (size_t i = 0; i < parameters.size(); ++i) {
      const auto grad = expected.find(name + "." + parameters.names()[i] + ".grad");
      if (grad == expected.end()) continue;
      CAPTURE(parameters.names()[i]);
      const float size = mx::max(mx::abs(grad->second)).item<float>();
      CHECK(size > 0);
      CHECK(models::testing::largest_difference(mx::divide(found.gradients[i], mx::array(units)),
                                                grad->second) < 2e-3f * size);
    }
    return found;
  }

  void compare_metrics(const Objective& objective, const BatchGradients& found,
                       const std::string& name) const {
    mx::array sums = found.metrics.at(0);
    mx::eval(sums);
    const Metrics means =
        mean_metrics(objective, {sums.data<float>(), sums.data<float>() + sums.size()}, 3);
    for (const auto& [metric, value] : numbers.at(name).items()) {
      CAPTURE(metric);
      CHECK(means.at(metric) == doctest::Approx(value.get<double>()).epsilon(1e-3));
    }
  }
};

}  // namespace

TEST_SUITE("reference") {
  TEST_CASE("DPO: loss and gradients and metrics of packed pairs equal TRL's") {
    Scene scene;
    const double beta = scene.numbers.at("beta");
    const auto sigmoid = dpo({.beta = beta});
    scene.compare_metrics(*sigmoid, scene.compare(*sigmoid, "dpo", "sigmoid"), "dpo_metrics");
    scene.compare(*dpo({.beta = beta, .loss = PreferenceLoss::kHinge}), "dpo", "hinge");
    scene.compare(*dpo({.beta = beta, .loss = PreferenceLoss::kIpo}), "dpo", "ipo");
    scene.compare(*dpo({.beta = beta, .label_smoothing = scene.numbers.at("smoothing")}), "dpo",
                  "cdpo");
  }

  TEST_CASE("ORPO: loss and gradients and metrics of packed pairs equal TRL's") {
    Scene scene;
    const auto objective = orpo(scene.numbers.at("beta"));
    scene.compare_metrics(*objective, scene.compare(*objective, "orpo", "orpo"), "orpo_metrics");
  }
}

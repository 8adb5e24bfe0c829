#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/base/json.h"
#include "core/base/random.h"
#include "core/checkpoint/model_files.h"
#include "engine/train/trainer.h"
#include "mlx/mlx.h"
#include "models/resolve.h"

// SmolLM2-135M itself against transformers and PEFT; see tests/fixtures/README.md.

using namespace toolkit;
using namespace toolkit::engine;

namespace {

struct Reference {
  Json numbers;
  std::unordered_map<std::string, mx::array> arrays;
  std::unique_ptr<models::Decoder> model;
  std::vector<data::Sample> samples;
};

std::unique_ptr<Reference> load_reference() {
  std::filesystem::path path;
  try {
    path = models::resolve_model("sample://smollm2-135m");
  } catch (const std::exception& error) {
    MESSAGE("SKIPPED: SmolLM2 is not installed: " << error.what());
    return nullptr;
  }
  const auto folder = std::filesystem::path(TOOLKIT_FIXTURES) / "smollm2";
  std::ostringstream text;
  text << std::ifstream(folder / "expected.json").rdbuf();
  auto reference = std::make_unique<Reference>();
  reference->numbers = parse_json(text.str(), "expected.json");
  reference->arrays = mx::load_safetensors(folder / "expected.safetensors").first;
  reference->model =
      models::load_decoder(*checkpoint::open_model_files(path), tensor::Compute::kFloat32);

  mx::array ids = reference->arrays.at("rows.ids"), mask = reference->arrays.at("rows.mask");
  mx::array supervised = reference->arrays.at("rows.supervised");
  mx::eval(ids, mask, supervised);
  for (int row = 0; row < ids.shape(0); ++row) {
    data::Sample sample;
    for (int t = 0; t < ids.shape(1); ++t) {
      const int at = row * ids.shape(1) + t;
      if (mask.data<int32_t>()[at] == 0) continue;
      sample.ids.push_back(ids.data<int32_t>()[at]);
      sample.supervised.push_back(supervised.data<int32_t>()[at] != 0);
    }
    reference->samples.push_back(sample);
  }
  return reference;
}

mx::array factor(Random& random, int rows, int columns, double size) {
  std::vector<float> values(static_cast<size_t>(rows) * columns);
  for (float& value : values) value = static_cast<float>((2.0 * random.uniform() - 1.0) * size);
  return mx::array(values.data(), {rows, columns}, mx::float32);
}

// The fixture's factors: module number m takes its own from Random(42, m).
void attach_factors(Reference& reference, double b_size) {
  std::map<std::string, nn::Linear*> layers;
  for (const auto& [path, layer] : reference.model->linears()) layers[path] = layer;
  const auto modules = reference.numbers.at("lora_modules").get<std::vector<std::string>>();
  for (size_t m = 0; m < modules.size(); ++m) {
    nn::Linear& layer = *layers.at(modules[m]);
    const int in = layer.weight.columns(), out = layer.weight.rows();
    Random random(42, m);
    const mx::array a = factor(random, in, 8, 1.0 / std::sqrt(in));
    layer.lora = tensor::LoraBranch{.a = a, .b = factor(random, 8, out, b_size), .scale = 2.0f};
  }
}

// Position of a fixture's gradient among ours, whatever order the model names its layers in.
std::map<std::string, size_t> positions(const TrainableParameters& parameters) {
  std::map<std::string, size_t> found;
  for (size_t i = 0; i < parameters.size(); ++i) found[parameters.names()[i]] = i;
  return found;
}

void check_gradients(const Reference& reference, const TrainableParameters& parameters,
                     const std::vector<mx::array>& gradients, float scale) {
  mx::array norms = reference.arrays.at("lora.gradient_norms");
  mx::array samples = reference.arrays.at("lora.gradient_samples");
  mx::eval(norms, samples);
  const auto place = positions(parameters);
  const auto modules = reference.numbers.at("lora_modules").get<std::vector<std::string>>();
  double worst_norm = 0, worst_sample = 0;
  for (size_t k = 0; k < 2 * modules.size(); ++k) {
    const std::string name = modules[k / 2] + (k % 2 == 0 ? ".lora_a" : ".lora_b");
    mx::array gradient =
        mx::reshape(mx::multiply(gradients[place.at(name)], mx::array(scale)), {-1});
    const float norm = mx::sqrt(mx::sum(mx::square(gradient))).item<float>();
    const float expected = norms.data<float>()[k];
    worst_norm = std::max<double>(worst_norm, std::abs(norm - expected) / expected);
    const size_t size = gradient.size(), stride = size / 16;
    const float typical = expected / std::sqrt(static_cast<float>(size));
    for (size_t i = 0; i < 16; ++i) {
      const float off = gradient.data<float>()[i * stride] - samples.data<float>()[k * 16 + i];
      worst_sample = std::max<double>(worst_sample, std::abs(off) / typical);
    }
  }
  CHECK(worst_norm < 2e-3);
  CHECK(worst_sample < 2e-2);  // of the gradient's root mean square
}

}  // namespace

TEST_SUITE("reference") {
  TEST_CASE("SmolLM2: losses, LoRA gradients and five AdamW steps equal PEFT's, rows packed") {
    const auto reference = load_reference();
    if (!reference) return;
    const Json& numbers = reference->numbers;
    const Batches batches(reference->samples, {.rows = 1, .length = 512}, false);
    REQUIRE(batches.per_epoch() == 1);
    REQUIRE(batches.tokens() == numbers.at("rows_tokens"));
    const auto supervised = static_cast<float>(batches.supervised_tokens());
    CHECK(measure_loss(*reference->model, batches).mean() ==
          doctest::Approx(numbers.at("rows_loss").get<double>()).epsilon(1e-4));

    attach_factors(*reference, 0.02);
    TrainableParameters parameters(*reference->model);
    auto [loss, gradients] = loss_and_gradients(*reference->model, parameters, batches.at(0));
    gradients.push_back(loss);
    mx::eval(gradients);
    gradients.pop_back();
    CHECK(loss.item<float>() / supervised ==
          doctest::Approx(numbers.at("lora_loss").get<double>()).epsilon(1e-4));
    check_gradients(*reference, parameters, gradients, 1.0f / supervised);
    gradients.clear();

    attach_factors(*reference, 0.0);
    const Json& adamw = numbers.at("adamw");
    Trainer trainer(*reference->model, batches, nullptr,
                    {.steps = 5,
                     .schedule = {.decay = optim::Decay::kConstant,
                                  .peak = adamw.at("learning_rate").get<double>()},
                     .optimizer_settings = {.weight_decay = adamw.value("weight_decay", 0.0)},
                     .clip = 0.0},
                    {});
    for (int i = 0; i < 5; ++i) {
      const StepReport report = trainer.step(batches.at(0));
      CAPTURE(i);
      CHECK(report.loss == doctest::Approx(adamw.at("losses").at(i).get<double>()).epsilon(5e-4));
      CHECK(report.gradient_norm ==
            doctest::Approx(adamw.at("gradient_norms").at(i).get<double>()).epsilon(5e-3));
    }
    CHECK(measure_loss(*reference->model, batches).mean() ==
          doctest::Approx(adamw.at("losses").at(5).get<double>()).epsilon(5e-4));
  }
}

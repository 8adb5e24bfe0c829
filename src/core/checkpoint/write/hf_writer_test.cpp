#include "core/checkpoint/write/hf_writer.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/base/json.h"
#include "core/base/testing.h"
#include "core/checkpoint/input_file.h"
#include "core/checkpoint/write/converted_model.h"
#include "mlx/mlx.h"

namespace toolkit::checkpoint {

namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::TestingFolder;
using Kind = TargetForm::Kind;

const fs::path kModels = fs::path(TOOLKIT_FIXTURES) / "models";
const std::string kUp = "model.layers.1.mlp.up_proj";

std::unique_ptr<ConvertedModel> converted(const std::string& name, TargetForm form,
                                          std::optional<Adapter> adapter = std::nullopt) {
  return std::make_unique<ConvertedModel>(open_model_files(kModels / name), std::move(adapter),
                                          form);
}

mx::array values_of(const ModelFiles& model, const std::string& module) {
  return tensor::dequantized(model.weight(module), mx::float32);
}

Json config_in(const fs::path& folder) {
  return Json::parse(read_text(folder / "config.json", 1 << 20));
}

/// An adapter of one module of the tiny Llama; `size` scales what it changes.
Adapter small_adapter(AdapterMethod method, float size) {
  Adapter adapter{.method = method, .rank = 2, .scale = 2.0f, .keys = {"mlp.up_proj"}};
  adapter.tensors.emplace(kUp + ".lora_a",
                          mx::multiply(mx::random::normal({32, 2}), mx::array(size)));
  adapter.tensors.emplace(kUp + ".lora_b", mx::random::normal({2, 64}));
  if (method == AdapterMethod::kDora)
    adapter.tensors.emplace(kUp + ".m", mx::random::uniform(0.5, 1.5, {64}, mx::float32));
  return adapter;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a folder is written whole - in shards with an index - and read back") {
    const TestingFolder folder;
    const auto model = converted("llama", {.kind = Kind::kDense});
    save_hf_folder(folder.path / "out/model", *model, {.shard_bytes = 40'000});
    const fs::path out = folder.path / "out/model";
    const Json index = Json::parse(read_text(out / "model.safetensors.index.json", 1 << 20));
    const std::string first = index.at("weight_map").at("model.embed_tokens.weight");
    CHECK(first.starts_with("model-00001-of-0000"));
    CHECK(index.at("weight_map").at("model.norm.weight") != first);
    CHECK(fs::file_size(out / first) < 45'000);
    CHECK(read_text(out / "tokenizer.json", 1 << 24) ==
          read_text(kModels / "llama/tokenizer.json", 1 << 24));
    CHECK(config_in(out).at("torch_dtype") == "float32");
    const auto read = open_model_files(out);
    CHECK(read->modules().size() == model->modules().size());
    for (const std::string& module : model->modules())
      CHECK(mx::array_equal(values_of(*read, module), values_of(*model, module)).item<bool>());
    CHECK(std::distance(fs::directory_iterator(folder.path / "out"), fs::directory_iterator()) ==
          1);
    CHECK(contains(testing::refusal_of([&] { save_hf_folder(out, *model); }), "already"));
  }

  TEST_CASE("MLX's packed form: settings in config.json - scales and biases beside the weights") {
    const TestingFolder folder;
    const auto model = converted("llama", {.kind = Kind::kAffine, .bits = 4, .group_size = 32});
    save_hf_folder(folder.path / "packed", *model);
    const Json settings = config_in(folder.path / "packed").at("quantization");
    CHECK(settings.at("bits") == 4);
    CHECK(settings.at("group_size") == 32);
    CHECK(settings.at("mode") == "affine");
    const auto read = open_model_files(folder.path / "packed");
    const tensor::Weight weight = read->weight(kUp);
    REQUIRE(weight.quantized());
    CHECK(weight.bits == 4);
    CHECK(weight.scales->dtype() == mx::float16);
    CHECK(mx::array_equal(weight.data, model->weight(kUp).data).item<bool>());
    // What is packed in the form that is asked for goes over as it is.
    const auto again = std::make_unique<ConvertedModel>(
        open_model_files(folder.path / "packed"), std::nullopt,
        TargetForm{.kind = Kind::kAffine, .bits = 4, .group_size = 32});
    CHECK(mx::array_equal(again->weight(kUp).data, weight.data).item<bool>());
    // And becomes dense when that is asked for.
    const auto dense = std::make_unique<ConvertedModel>(
        open_model_files(folder.path / "packed"), std::nullopt, TargetForm{.kind = Kind::kDense});
    save_hf_folder(folder.path / "dense", *dense);
    CHECK_FALSE(config_in(folder.path / "dense").contains("quantization"));
    CHECK(mx::allclose(values_of(*open_model_files(folder.path / "dense"), kUp),
                       values_of(*read, kUp), 1e-3, 1e-3)
              .item<bool>());
  }

  TEST_CASE("LoRA is merged as W + scale (a b)^T") {
    const Adapter adapter = small_adapter(AdapterMethod::kLora, 0.1f);
    const auto base = open_model_files(kModels / "llama");
    const auto model = converted("llama", {.kind = Kind::kDense}, adapter);
    const mx::array expected =
        mx::add(values_of(*base, kUp),
                mx::multiply(mx::transpose(mx::matmul(adapter.tensors.at(kUp + ".lora_a"),
                                                      adapter.tensors.at(kUp + ".lora_b"))),
                             mx::array(2.0f)));
    CHECK(mx::allclose(values_of(*model, kUp), expected, 1e-5, 1e-6).item<bool>());
    const std::string other = "model.layers.0.mlp.up_proj";
    CHECK(mx::array_equal(values_of(*model, other), values_of(*base, other)).item<bool>());
    const MergeLoss loss = model->merge_loss();
    CHECK(loss.modules == 1);
    CHECK(loss.kept == doctest::Approx(1.0).epsilon(1e-4));
  }

  TEST_CASE("DoRA is merged with rows of the norms it learned") {
    const Adapter adapter = small_adapter(AdapterMethod::kDora, 0.1f);
    const auto model = converted("llama", {.kind = Kind::kDense}, adapter);
    const mx::array norms = mx::linalg::norm(values_of(*model, kUp), 1);
    CHECK(mx::allclose(norms, adapter.tensors.at(kUp + ".m"), 1e-4, 1e-5).item<bool>());
  }

  TEST_CASE("whole weights take the place of the model's") {
    Adapter adapter{.method = AdapterMethod::kFull};
    adapter.tensors.emplace(kUp + ".weight", mx::random::normal({64, 32}));
    const auto model = converted("llama", {.kind = Kind::kDense}, adapter);
    CHECK(
        mx::array_equal(values_of(*model, kUp), adapter.tensors.at(kUp + ".weight")).item<bool>());
  }

  TEST_CASE("what quantizing again takes from an adapter is told") {
    const auto lost = [&](int bits, float size) {
      mx::random::seed(5);
      const auto model = converted("llama", {.kind = Kind::kAffine, .bits = bits, .group_size = 32},
                                   small_adapter(AdapterMethod::kLora, size));
      for (const std::string& module : model->modules()) {
        const tensor::Weight weight = model->weight(module);
        mx::eval(weight.data);
      }
      return model->merge_loss();
    };
    CHECK(lost(8, 0.1f).kept == doctest::Approx(1.0).epsilon(0.05));
    CHECK(lost(4, 0.001f).noise > lost(8, 0.001f).noise);
    CHECK(lost(4, 0.001f).noise > 1.0);  // the rounding is larger than what was learned
  }

  TEST_CASE("an adapter of another model is refused tensor by tensor") {
    Adapter adapter = small_adapter(AdapterMethod::kLora, 0.1f);
    adapter.base_model = "elsewhere";
    adapter.tensors.insert_or_assign(kUp + ".lora_b", mx::zeros({2, 65}));
    adapter.tensors.emplace("model.layers.9.mlp.up_proj.lora_a", mx::zeros({32, 2}));
    const std::string message = testing::refusal_of(
        [&] { converted("llama", {.kind = Kind::kDense}, adapter); }, ErrorKind::kUserInput);
    CHECK(contains(message, "trained on elsewhere"));
    CHECK(contains(message, kUp + ".lora_b is (2, 65), but the model's weight is (64, 32)"));
    CHECK(contains(message, "model.layers.9.mlp.up_proj.lora_a: the model has no such layer"));
  }
}

}  // namespace toolkit::checkpoint

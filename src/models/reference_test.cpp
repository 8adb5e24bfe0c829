#include <doctest/doctest.h>

#include <filesystem>

#include "core/checkpoint/model_files.h"
#include "core/checkpoint/safetensors.h"
#include "mlx/mlx.h"
#include "models/decoder.h"
#include "models/testing/memory_files.h"

namespace toolkit::models {

namespace {

struct Case {
  const char* model;     // folder or file under tests/fixtures/models
  const char* expected;  // the numbers that belong to it
};

// Made by transformers 5.23 in f32 (tests/fixtures/README.md says what each exercises).
constexpr Case kCases[] = {
    {"llama", "llama/expected"},
    {"mistral", "mistral/expected"},
    {"qwen2", "qwen2/expected"},
    {"qwen3", "qwen3/expected"},
    {"smollm3", "smollm3/expected"},
    {"gemma2", "gemma2/expected"},
    {"gemma3", "gemma3/expected"},
    {"llama_gguf/f16.gguf", "llama_gguf/f16_expected"},
    {"llama_gguf/mixed.gguf", "llama_gguf/mixed_expected"},
    {"llama_mlx_4bit", "llama_mlx_4bit/expected"},
};

}  // namespace

TEST_SUITE("reference") {
  TEST_CASE("logits equal those of transformers on the same weights") {
    const std::filesystem::path fixtures = std::filesystem::path(TOOLKIT_FIXTURES) / "models";
    for (const Case& one : kCases) {
      const std::string name = one.model;
      CAPTURE(name);
      const auto files = checkpoint::open_model_files(fixtures / one.model);
      const auto decoder = load_decoder(*files, tensor::Compute::kFloat32);
      const auto expected =
          checkpoint::load_safetensors(fixtures / (std::string(one.expected) + ".safetensors"));
      const mx::array logits = decoder->logits(decoder->hidden(expected.at("input_ids")));
      CHECK(testing::largest_difference(logits, expected.at("logits")) < 1e-4f);
    }
  }
}

}  // namespace toolkit::models

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "mlx/mlx.h"
#include "models/decoder.h"
#include "models/testing/memory_files.h"

namespace toolkit::models {

TEST_SUITE("reference") {
  TEST_CASE("logits equal those of transformers on the same weights") {
    for (const char* family :
         {"llama", "mistral", "qwen2", "qwen3", "smollm3", "gemma2", "gemma3"}) {
      CAPTURE(family);
      const std::filesystem::path folder =
          std::filesystem::path(TOOLKIT_FIXTURES) / "models" / family;
      std::map<std::string, mx::array> tensors;
      for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const std::string name = entry.path().filename();
        if (!name.starts_with("model") || !name.ends_with(".safetensors")) continue;
        for (auto& [key, array] : mx::load_safetensors(entry.path()).first)
          tensors.emplace(key, array);
      }
      std::ostringstream config;
      config << std::ifstream(folder / "config.json").rdbuf();
      const testing::MemoryFiles files(config.str(), tensors);
      const auto decoder = load_decoder(files, tensor::Compute::kFloat32);
      const auto expected = mx::load_safetensors(folder / "expected.safetensors").first;
      const mx::array logits = decoder->logits(decoder->hidden(expected.at("input_ids")));
      CHECK(testing::largest_difference(logits, expected.at("logits")) < 1e-4f);
    }
  }
}

}  // namespace toolkit::models

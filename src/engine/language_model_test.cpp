#include "engine/language_model.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/base/json.h"
#include "core/base/testing.h"

namespace toolkit::engine {

namespace {

const std::filesystem::path kLlama = std::filesystem::path(TOOLKIT_FIXTURES) / "models" / "llama";

struct Copy {
  const testing::TestingFolder above;
  std::filesystem::path folder = above.path / "model";
  Copy() { std::filesystem::copy(kLlama, folder, std::filesystem::copy_options::recursive); }
};

std::string error_of(const std::filesystem::path& folder) {
  try {
    load_language_model(folder.string(), tensor::Compute::kFloat32);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a folder becomes a model that can talk") {
    const LanguageModel model = load_language_model(kLlama.string(), tensor::Compute::kFloat32);
    CHECK(model.decoder->config().num_layers == 3);
    CHECK(model.tokenizer->vocabulary_size() <= model.decoder->config().vocabulary_size);
    CHECK_FALSE(model.stop_ids.empty());
    CHECK(model.eos_id >= 0);
    const std::string text =
        model.chat.render({{.role = "user", .content = "Hi"}}, {.add_generation_prompt = true});
    CHECK(text.find("Hi") != std::string::npos);
    const auto end = model.tokenizer->id_of("<|im_end|>");
    if (end) CHECK(std::count(model.stop_ids.begin(), model.stop_ids.end(), *end) == 1);
  }

  TEST_CASE("what is wrong is found before the weights are read") {
    {
      const Copy copy;
      std::filesystem::remove(copy.folder / "tokenizer.json");
      CHECK(error_of(copy.folder).find("tokenizer") != std::string::npos);
    }
    {
      const Copy copy;  // a tokenizer of another model: more tokens than the model has rows
      std::ifstream in(copy.folder / "config.json");
      Json config = Json::parse(in);
      config["vocab_size"] = 8;
      std::ofstream(copy.folder / "config.json") << config.dump();
      CHECK(error_of(copy.folder).find("is it this model's?") != std::string::npos);
    }
    CHECK(error_of("/no/such/model").find("/no/such/model") != std::string::npos);
  }
}

}  // namespace toolkit::engine

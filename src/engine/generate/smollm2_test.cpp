#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "core/base/json.h"
#include "core/checkpoint/safetensors.h"
#include "engine/generate/generator.h"
#include "mlx/mlx.h"
#include "models/resolve.h"

namespace toolkit::engine {

namespace {

constexpr const char* kName = "sample://smollm2-135m";

bool installed() {
  for (const models::SampleModel& sample : models::sample_models())
    if (sample.name == kName && !sample.path.empty()) return true;
  std::printf("SKIPPED: %s is not installed (scripts/setup)\n", kName);
  return false;
}

std::vector<int32_t> ints_of(mx::array array) {
  array = mx::contiguous(mx::astype(array, mx::int32));
  array.eval();
  return {array.data<int32_t>(), array.data<int32_t>() + array.size()};
}

}  // namespace

// What transformers says of SmolLM2-135M-Instruct on the same weights; tests/fixtures/README.md.
TEST_SUITE("reference") {
  TEST_CASE("SmolLM2: token ids, logits and greedy text equal transformers'") {
    if (!installed()) return;
    const std::filesystem::path folder = std::filesystem::path(TOOLKIT_FIXTURES) / "smollm2";
    auto expected = checkpoint::load_safetensors(folder / "expected.safetensors");
    std::ifstream in(folder / "expected.json");
    const Json texts = Json::parse(in);
    const LanguageModel model = load_language_model(kName, tensor::Compute::kFloat32);
    Generator generator(model);
    for (const std::string prompt : {"chat", "code", "prose"}) {
      CAPTURE(prompt);
      const std::vector<int32_t> ids = ints_of(expected.at(prompt + ".ids"));
      CHECK(model.tokenizer
                ->encode(texts.at("prompts").at(prompt).at("text").get<std::string>(), false)
                .ids == ids);

      const mx::array logits = model.decoder->logits(model.decoder->hidden(
          mx::array(ids.data(), {1, static_cast<int>(ids.size())}, mx::int32)));
      const mx::array rows = mx::take(logits, expected.at(prompt + ".positions"), 1);
      const mx::array top = mx::take_along_axis(
          mx::squeeze(rows, 0), mx::astype(expected.at(prompt + ".top_ids"), mx::int32), 1);
      CHECK(mx::max(mx::abs(mx::subtract(top, expected.at(prompt + ".top_logits")))).item<float>() <
            5e-3f);
      CHECK(mx::max(mx::abs(mx::subtract(mx::mean(mx::squeeze(rows, 0), 1),
                                         expected.at(prompt + ".mean_logits"))))
                .item<float>() < 5e-3f);

      const GenerateResult greedy =
          generator.generate(ids, {.max_tokens = 32, .ignore_stop_ids = true});
      CHECK(greedy.ids == ints_of(expected.at(prompt + ".greedy")));
    }
  }
}

}  // namespace toolkit::engine

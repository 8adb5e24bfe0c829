#include "engine/embed/text_embedder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "models/resolve.h"

namespace toolkit::engine {

namespace {

bool installed(const std::vector<models::SampleModel>& samples) {
  for (const models::SampleModel& sample : samples) {
    if (!sample.path.empty()) continue;
    std::printf("SKIPPED: %s is not installed (run scripts/setup)\n", sample.name.c_str());
    return false;
  }
  return true;
}

double length(const std::vector<float>& values) {
  double squares = 0.0;
  for (const float value : values) squares += static_cast<double>(value) * value;
  return std::sqrt(squares);
}

float largest_gap(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  float gap = 0.0f;
  for (size_t i = 0; i < a.size(); ++i) gap = std::max(gap, std::abs(a[i] - b[i]));
  return gap;
}

}  // namespace

TEST_SUITE("reference") {
  TEST_CASE("MiniLM's vectors and token counts are those of sentence-transformers") {
    if (!installed(models::sample_encoders())) return;
    CHECK(is_text_encoder("sample://all-minilm-l6-v2"));
    const auto embedder = load_text_embedder("sample://all-minilm-l6-v2");
    const Json expected =
        parse_json(read_file(std::string(TOOLKIT_FIXTURES) + "/bert/minilm.json"), "minilm.json");
    const std::vector<std::string> texts = expected["texts"];
    CHECK(embedder->dimensions() == 384);
    CHECK(embedder->max_tokens() == expected["max_tokens"]);
    const auto found = embedder->embed(texts);
    REQUIRE(found.size() == texts.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      CAPTURE(texts[i]);
      CHECK(largest_gap(found[i].values, expected["vectors"][i]) < 1e-5f);
      CHECK(found[i].tokens == expected["tokens"][i]);
      CHECK(found[i].truncated == (i + 1 == texts.size()));  // the last one is long
    }
    CHECK(embedder->embed({}).empty());
  }

  TEST_CASE("a language model's texts have vectors of length 1 whatever they are computed with") {
    if (!installed(models::sample_models())) return;
    CHECK_FALSE(is_text_encoder("sample://smollm2-135m"));
    const auto embedder = load_text_embedder("sample://smollm2-135m");
    CHECK(embedder->dimensions() == 576);
    const std::vector<std::string> texts = {"The cat sat on the mat.", "Prices rose again."};
    const auto together = embedder->embed(texts);
    for (size_t i = 0; i < texts.size(); ++i) {
      CHECK(length(together[i].values) == doctest::Approx(1.0).epsilon(1e-5));
      const auto alone = embedder->embed(std::span(texts).subspan(i, 1));
      CHECK(largest_gap(alone[0].values, together[i].values) < 1e-3f);
    }
    const LanguageModel loaded =
        load_language_model("sample://smollm2-135m", tensor::Compute::kFloat32);
    int passes = 0;
    const auto shared = make_text_embedder(loaded, [&](const std::function<void()>& pass) {
      ++passes;
      pass();
    });
    const auto borrowed = shared->embed(texts);
    CHECK(passes == 1);
    for (size_t i = 0; i < texts.size(); ++i)
      CHECK(largest_gap(borrowed[i].values, together[i].values) < 1e-5f);
    const std::vector<std::string> empty = {"x", ""};
    CHECK_THROWS_WITH_AS(embedder->embed(empty), doctest::Contains("text 2"), Error);
  }
}

}  // namespace toolkit::engine

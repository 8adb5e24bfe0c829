#include "projects/inspect/model_card.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "models/resolve.h"

using namespace toolkit;

TEST_SUITE("unit") {
  TEST_CASE("model_card: the sample model is described as its authors do") {
    const auto samples = models::sample_models();
    if (samples.empty() || samples[0].path.empty()) {
      std::puts("SKIPPED: the sample model is not installed");
      return;
    }
    const auto files = checkpoint::open_model_files(samples[0].path);
    const inspect::ModelCard card = inspect::describe_model(*files);
    CHECK(card.family == "llama");
    CHECK(card.layers == 30);
    CHECK(card.hidden_size == 576);
    CHECK(card.heads == 9);
    CHECK(card.kv_heads == 3);
    CHECK(card.vocabulary == 49152);
    CHECK(card.parameters == 134515008);  // "135M"
    CHECK(card.weights == "4-bit in groups of 32");
    CHECK(card.tokenizer);
    CHECK(card.chat_template);
    const std::string page = inspect::to_page(card);
    CHECK(page.find("parameters      134.5 million\n") != std::string::npos);
    CHECK(inspect::to_json(card)["vocabulary"] == 49152);
  }
}

#include "projects/finetune/memory_plan.h"

#include <doctest/doctest.h>

#include "core/base/testing.h"

using namespace toolkit;
using namespace toolkit::finetune;

namespace {

models::DecoderConfig smollm2() {
  models::DecoderConfig config;
  config.hidden_size = 576;
  config.intermediate_size = 1536;
  config.num_layers = 30;
  config.num_heads = 9;
  config.num_kv_heads = 3;
  config.head_dim = 64;
  config.vocabulary_size = 49152;
  return config;
}

std::string refusal(int64_t tokens, bool checkpoint_layers, int64_t available) {
  const engine::TrainingNeeds needs{.trained_elements = 2'442'240,
                                    .branch_ranks = 30 * 7 * 8,
                                    .places = tokens,
                                    .supervised = tokens / 2,
                                    .checkpoint_layers = checkpoint_layers};
  return testing::refusal_of([&] { check_memory(smollm2(), needs, available); },
                             ErrorKind::kOutOfMemory);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a step that does not fit is refused with settings that do") {
    CHECK(refusal(512, false, 2'000'000'000).empty());
    const std::string text = refusal(4096, false, 2'000'000'000);
    CHECK(text.find("--checkpoint-layers") != std::string::npos);
    const size_t at = text.find("at most ");
    REQUIRE(at != std::string::npos);
    const int64_t proposed = std::stoll(text.substr(at + 8));
    CAPTURE(proposed);
    CHECK(proposed > 1500);
    CHECK(refusal(proposed, false, 2'000'000'000).empty());
    CHECK_FALSE(refusal(proposed + 128, false, 2'000'000'000).empty());
    CHECK(refusal(100, false, 10'000'000).find("smaller model") != std::string::npos);
    CHECK(refusal(1 << 22, false, 0).empty());  // the machine does not say
  }
}

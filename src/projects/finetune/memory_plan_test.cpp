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
  return config;
}

std::string refusal(int64_t tokens, bool checkpoint_layers, int64_t available) {
  return testing::refusal_of([&] { check_memory(smollm2(), tokens, checkpoint_layers, available); },
                             ErrorKind::kOutOfMemory);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the plan is near what was measured and grows with the tokens") {
    const int64_t step = step_bytes(smollm2(), 512, false);
    CHECK(step > 550'000'000);
    CHECK(step < 750'000'000);
    CHECK(step_bytes(smollm2(), 1024, false) == 2 * step);
    CHECK(step_bytes(smollm2(), 512, true) < step / 3);
  }

  TEST_CASE("a step that does not fit is refused with settings that do") {
    CHECK(refusal(512, false, 2'000'000'000).empty());
    const std::string text = refusal(4096, false, 2'000'000'000);
    CHECK(text.find("--checkpoint-layers") != std::string::npos);
    CHECK(text.find("at most 1600") != std::string::npos);
    CHECK(refusal(100, false, 10'000'000).find("smaller model") != std::string::npos);
    CHECK(refusal(1 << 22, false, 0).empty());  // the machine does not say
  }
}

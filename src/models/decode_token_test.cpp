#include <doctest/doctest.h>

#include "mlx/mlx.h"
#include "models/decoder.h"
#include "models/kv_cache.h"
#include "models/testing/memory_files.h"

namespace toolkit::models {

using testing::kTinyCappedGemma;
using testing::kTinyLlama;
using testing::MemoryFiles;
using testing::random_files;

namespace {

constexpr int kTokens = 40, kPrompt = 9, kVocabulary = 64;

void add_branches(Decoder& decoder) {
  uint64_t seed = 100;
  for (auto& [path, layer] : decoder.linears()) {
    layer->lora = tensor::LoraBranch{mx::random::normal({layer->weight.columns(), 4}, mx::float32,
                                                        0.0f, 0.2f, mx::random::key(seed++)),
                                     mx::random::normal({4, layer->weight.rows()}, mx::float32,
                                                        0.0f, 0.2f, mx::random::key(seed++)),
                                     2.0f};
  }
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("decode_token after a prompt gives the logits of one pass over everything") {
    if (!tensor::use_cpu_kernels()) {
      MESSAGE("SKIPPED: no CPU kernels in this build");
      return;
    }
    std::vector<int32_t> ids;
    for (int i = 0; i < kTokens; ++i) ids.push_back((i * 7 + i / 5) % kVocabulary);
    for (const char* config : {kTinyLlama, kTinyCappedGemma}) {
      for (const bool branches : {false, true}) {
        CAPTURE(config);
        CAPTURE(branches);
        const auto decoder = load_decoder(random_files(config), tensor::Compute::kFloat32);
        if (branches) add_branches(*decoder);
        const mx::array all(ids.data(), {1, kTokens}, mx::int32);
        tensor::use_plain_graph(true);
        mx::array whole = decoder->logits(decoder->hidden(all));
        whole.eval();
        tensor::use_plain_graph(false);
        KvCache cache(decoder->config());
        mx::array prompt = decoder->hidden(mx::slice(all, {0, 0}, {1, kPrompt}), {.cache = &cache});
        prompt.eval();
        std::vector<float> logits(kVocabulary);
        float gap = 0.0f;
        for (int t = kPrompt; t < kTokens; ++t) {
          REQUIRE(decoder->decode_token(ids[static_cast<size_t>(t)], cache, logits));
          for (int i = 0; i < kVocabulary; ++i)
            gap = std::max(gap, std::abs(logits[static_cast<size_t>(i)] -
                                         whole.data<float>()[t * kVocabulary + i]));
        }
        CHECK(gap < 1e-4f);
        CHECK(cache.length() == kTokens);
      }
    }
  }

  TEST_CASE("decode_token leaves everything as it was where the kernels are not in use") {
    const auto decoder = load_decoder(random_files(kTinyLlama), tensor::Compute::kFloat32);
    KvCache cache(decoder->config());
    std::vector<float> logits(kVocabulary);
    tensor::use_plain_graph(true);
    CHECK_FALSE(decoder->decode_token(1, cache, logits));
    tensor::use_plain_graph(false);
    CHECK(cache.length() == 0);
  }
}

}  // namespace toolkit::models

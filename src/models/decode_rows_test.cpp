#include "models/decode_rows.h"

#include <doctest/doctest.h>

#include <deque>

#include "mlx/mlx.h"
#include "models/decoder_parts.h"
#include "models/testing/memory_files.h"

namespace toolkit::models {

using testing::kTinyCappedGemma;
using testing::kTinyLlama;
using testing::random_files;

namespace {

constexpr int kTokens = 40, kVocabulary = 64;

std::vector<int32_t> tokens() {
  std::vector<int32_t> ids;
  for (int i = 0; i < kTokens; ++i) ids.push_back((i * 7 + i / 5) % kVocabulary);
  return ids;
}

/// Logits (T, V) of one sequence, `together` tokens in a pass.
std::vector<float> logits_of(const Decoder& decoder, const BranchTable* branches, int together) {
  const tensor::KvBlockShape shape = kv_block_shape(decoder.config());
  std::vector<std::vector<uint8_t>> memory(
      2, std::vector<uint8_t>(static_cast<size_t>(shape.bytes())));
  std::vector<uint8_t*> blocks = {memory[0].data(), memory[1].data()};
  const std::vector<int32_t> ids = tokens();
  std::vector<float> logits(kTokens * kVocabulary);
  for (int begin = 0; begin < kTokens; begin += together) {
    const int end = std::min(kTokens, begin + together);
    std::vector<TokenRow> rows;
    for (int t = begin; t < end; ++t)
      rows.push_back({ids[static_cast<size_t>(t)], t, blocks.data(), branches, true});
    decode_rows(decoder, shape, rows,
                std::span(logits).subspan(static_cast<size_t>(begin * kVocabulary),
                                          static_cast<size_t>((end - begin) * kVocabulary)));
  }
  return logits;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("decode_rows gives the logits of one pass of the graph, with and without branches") {
    if (!tensor::use_cpu_kernels()) {
      MESSAGE("SKIPPED: no CPU kernels in this build");
      return;
    }
    const std::vector<int32_t> ids = tokens();
    for (const char* config : {kTinyLlama, kTinyCappedGemma}) {
      for (const bool branches : {false, true}) {
        CAPTURE(config);
        CAPTURE(branches);
        const auto decoder = load_decoder(random_files(config), tensor::Compute::kFloat32);
        std::deque<tensor::LoraBranch> loras;
        std::map<const nn::Linear*, tensor::RowBranch> by_layer;
        uint64_t seed = 100;
        for (auto& [path, layer] : decoder->linears()) {
          const auto random = [&](const mx::Shape& shape) {
            return mx::random::normal(shape, mx::float32, 0.0f, 0.2f, mx::random::key(seed++));
          };
          loras.push_back(
              {random({layer->weight.columns(), 4}), random({4, layer->weight.rows()}), 2.0f});
          mx::eval(loras.back().a, loras.back().b);
          by_layer[layer].lora = &loras.back();
        }
        const BranchTable table = branch_table(*decoder, by_layer);
        REQUIRE(can_decode_rows(*decoder));
        const std::vector<float> found = logits_of(*decoder, branches ? &table : nullptr, 11);
        CHECK(logits_of(*decoder, branches ? &table : nullptr, 1) == found);
        if (branches)
          for (auto& [path, layer] : decoder->linears()) layer->lora = *by_layer[layer].lora;
        CHECK(can_decode_rows(*decoder) == !branches);
        tensor::use_plain_graph(true);
        mx::array whole =
            decoder->logits(decoder->hidden(mx::array(ids.data(), {1, kTokens}, mx::int32)));
        whole.eval();
        tensor::use_plain_graph(false);
        float gap = 0.0f;
        for (size_t i = 0; i < found.size(); ++i)
          gap = std::max(gap, std::abs(found[i] - whole.data<float>()[i]));
        CHECK(gap < 2e-2f);  // keys and values are rounded to f16
      }
    }
  }

  TEST_CASE("packed weights in their second order give the same logits but for rounding") {
    if (!tensor::use_cpu_kernels()) {
      MESSAGE("SKIPPED: no CPU kernels in this build");
      return;
    }
    const char* const wide = R"({"model_type": "llama", "hidden_size": 64,
      "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
      "num_key_value_heads": 2, "vocab_size": 64, "max_position_embeddings": 512,
      "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true})";
    const auto decoder =
        load_decoder(random_files(wide), tensor::Compute::kFloat32, {.bits = 4, .group_size = 32});
    const std::vector<float> before = logits_of(*decoder, nullptr, 7);
    const int64_t most = rows_bytes(*decoder), taken = prepare_for_rows(*decoder);
    CHECK(most > 0);
    CHECK((taken == 0 || taken == most));
    if (taken == 0) MESSAGE("SKIPPED: no AVX-512 VNNI here");
    const std::vector<float> after = logits_of(*decoder, nullptr, 7);
    float gap = 0.0f;
    for (size_t i = 0; i < after.size(); ++i) gap = std::max(gap, std::abs(after[i] - before[i]));
    CHECK(gap < 2e-2f);
    CHECK((gap > 0.0f) == (taken > 0));
    CHECK(logits_of(*decoder, nullptr, 1) == after);
    CHECK(logits_of(*decoder, nullptr, 40) == after);
  }
}

}  // namespace toolkit::models

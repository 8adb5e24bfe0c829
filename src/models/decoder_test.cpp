#include "models/decoder.h"

#include <doctest/doctest.h>

#include "core/base/error.h"
#include "mlx/mlx.h"
#include "models/kv_cache.h"
#include "models/testing/memory_files.h"

namespace toolkit::models {

using testing::kTinyLlama;
using testing::largest_difference;
using testing::MemoryFiles;
using testing::random_files;

namespace {

mx::array ids_of(const std::vector<int32_t>& ids, int rows = 1) {
  return mx::array(ids.data(), {rows, static_cast<int>(ids.size()) / rows}, mx::int32);
}

mx::array counting_ids(int count, int rows = 1) {
  std::vector<int32_t> ids;
  for (int i = 0; i < count; ++i) ids.push_back((i * 7 + i / 5) % 64);
  return ids_of(ids, rows);
}

const char* const kTinyGemma =
    R"({"model_type": "gemma2", "hidden_size": 32, "intermediate_size": 48,
  "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
  "vocab_size": 64, "sliding_window": 6, "query_pre_attn_scalar": 8})";

std::string load_error(const MemoryFiles& files) {
  try {
    load_decoder(files, tensor::Compute::kFloat32);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kUserInput);
    return error.what();
  }
  return "no error";
}

/// Random LoRA factors on every linear layer, rank 4.
std::vector<mx::array> add_branches(Decoder& decoder) {
  std::vector<mx::array> factors;
  uint64_t seed = 100;
  for (auto& [path, layer] : decoder.linears()) {
    const mx::array a = mx::random::normal({layer->weight.columns(), 4}, mx::float32, 0.0f, 0.2f,
                                           mx::random::key(seed++));
    const mx::array b = mx::random::normal({4, layer->weight.rows()}, mx::float32, 0.0f, 0.2f,
                                           mx::random::key(seed++));
    layer->lora = tensor::LoraBranch{a, b, 2.0f};
    factors.push_back(a);
    factors.push_back(b);
  }
  return factors;
}

/// Of all elements together: ||a - b|| / ||b||.
float relative_error(const mx::array& a, const mx::array& b) {
  const auto squares = [](const mx::array& x) { return mx::sum(mx::square(x)); };
  return mx::sqrt(mx::divide(squares(mx::subtract(a, b)), squares(b))).item<float>();
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("decoding with a cache gives the logits of one pass") {
    for (const char* config : {kTinyLlama, kTinyGemma}) {
      CAPTURE(config);
      const auto decoder = load_decoder(random_files(config), tensor::Compute::kFloat32);
      const mx::array ids = counting_ids(20);
      const mx::array whole = decoder->logits(decoder->hidden(ids));
      CHECK(whole.shape() == mx::Shape{1, 20, 64});
      KvCache cache(decoder->config());
      std::vector<mx::array> parts;
      int at = 0;
      for (const int step : {9, 1, 1, 4, 5}) {
        const mx::array piece = mx::slice(ids, {0, at}, {1, at + step});
        parts.push_back(decoder->logits(decoder->hidden(piece, {.cache = &cache})));
        at += step;
      }
      CHECK(cache.length() == 20);
      CHECK(largest_difference(mx::concatenate(parts, 1), whole) < 1e-4f);
    }
  }

  TEST_CASE("the plain graph keeps bf16 activations and stays near f32, with a cache too") {
    tensor::use_plain_graph(true);
    for (const char* config : {kTinyLlama, kTinyGemma}) {
      CAPTURE(config);
      const MemoryFiles files = random_files(config);
      const auto exact = load_decoder(files, tensor::Compute::kFloat32);
      const auto rounded = load_decoder(files, tensor::Compute::kBFloat16);
      add_branches(*exact), add_branches(*rounded);
      const mx::array ids = counting_ids(20), noise = mx::full({1, 20, 32}, 0.01f);
      const mx::array segments =
          ids_of({0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
      const ForwardOptions options{.segments = &segments, .embedding_noise = &noise};
      const mx::array hidden = rounded->hidden(ids, options);
      CHECK(hidden.dtype() == mx::bfloat16);
      const mx::array logits = rounded->logits(hidden),
                      wanted = exact->logits(exact->hidden(ids, options));
      CHECK(logits.dtype() == mx::float32);
      CHECK(relative_error(logits, wanted) < 0.05f);
      CHECK(relative_error(logits, wanted) > 0.0f);

      KvCache cache(rounded->config());
      const mx::array first = rounded->hidden(mx::slice(ids, {0, 0}, {1, 15}), {.cache = &cache});
      const mx::array second = rounded->hidden(mx::slice(ids, {0, 15}, {1, 20}), {.cache = &cache});
      CHECK(second.dtype() == mx::bfloat16);
      const mx::array whole = exact->logits(exact->hidden(ids));
      CHECK(relative_error(rounded->logits(mx::concatenate({first, second}, 1)), whole) < 0.05f);
    }
    tensor::use_plain_graph(false);
  }

  TEST_CASE("a packed row gives each sample the hidden states it has alone") {
    for (const char* config : {kTinyLlama, kTinyGemma}) {
      const auto decoder = load_decoder(random_files(config), tensor::Compute::kFloat32);
      const mx::array ids = counting_ids(20);
      const mx::array segments =
          ids_of({0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1});
      const mx::array packed = decoder->hidden(ids, {.segments = &segments});
      const mx::array first = decoder->hidden(mx::slice(ids, {0, 0}, {1, 7}));
      const mx::array second = decoder->hidden(mx::slice(ids, {0, 7}, {1, 17}));
      CHECK(largest_difference(mx::slice(packed, {0, 0, 0}, {1, 7, 32}), first) < 1e-4f);
      CHECK(largest_difference(mx::slice(packed, {0, 7, 0}, {1, 17, 32}), second) < 1e-4f);
    }
  }

  TEST_CASE("checkpointed layers give the same loss and gradients") {
    const auto decoder = load_decoder(random_files(kTinyLlama), tensor::Compute::kFloat32);
    const std::vector<mx::array> factors = add_branches(*decoder);
    const mx::array ids = counting_ids(24, 2);
    std::vector<int> all(factors.size());
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int>(i);
    const auto gradients = [&](bool checkpoint) {
      const auto loss = [&](const std::vector<mx::array>& given) {
        size_t next = 0;
        for (auto& [path, layer] : decoder->linears()) {
          layer->lora->a = given[next++];
          layer->lora->b = given[next++];
        }
        const mx::array hidden = decoder->hidden(ids, {.checkpoint_layers = checkpoint});
        return mx::mean(mx::square(decoder->logits(hidden)));
      };
      auto [value, grads] = mx::value_and_grad(loss, all)(factors);
      grads.push_back(value);
      mx::eval(grads);
      return grads;
    };
    const std::vector<mx::array> kept = gradients(false), recomputed = gradients(true);
    for (size_t i = 0; i < kept.size(); ++i) {
      CHECK(mx::max(mx::abs(kept[i])).item<float>() > 0.0f);
      CHECK(largest_difference(kept[i], recomputed[i]) < 1e-5f);
    }
  }

  TEST_CASE("what the model is made of") {
    const auto decoder = load_decoder(random_files(kTinyLlama), tensor::Compute::kFloat32);
    CHECK(decoder->parameter_count() ==
          64 * 32 + 32 + 3 * (2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 48 + 2 * 32));
    const auto linears = decoder->linears();
    REQUIRE(linears.size() == 21);
    CHECK(linears[0].first == "model.layers.0.self_attn.q_proj");
    CHECK(linears[20].first == "model.layers.2.mlp.down_proj");
    CHECK(linears[20].second->weight.rows() == 32);
  }

  TEST_CASE("a tied head uses the embedding's memory") {
    auto decoder = load_decoder(random_files(kTinyLlama), tensor::Compute::kFloat32);
    const tensor::LinearTerms head = decoder->head();
    CHECK(head.weight->rows() == 64);
    CHECK(head.weight->data.id() == decoder->parameters().front().places.front()->id());
    const mx::array table = head.weight->data;
    // One array, held twice: no copy. A GPU's stream may hold it too.
    if (tensor::use_cpu_kernels()) CHECK(table.data_shared_ptr().use_count() == 1);
  }

  TEST_CASE("everything that does not fit is named in one error") {
    MemoryFiles files = random_files(kTinyLlama);
    files.tensors().erase("model.layers.1.mlp.up_proj.weight");
    files.tensors().insert_or_assign("model.layers.0.self_attn.k_proj.weight", mx::zeros({8, 32}));
    files.tensors().insert_or_assign("model.norm.weight", mx::zeros({31}));
    files.tensors().emplace("model.layers.0.self_attn.q_proj.bias", mx::zeros({32}));
    files.tensors().emplace("model.layers.3.mlp.up_proj.weight", mx::zeros({2, 2}));
    const std::string message = load_error(files);
    CAPTURE(message);
    CHECK(message.find("model.layers.1.mlp.up_proj.weight is missing") != std::string::npos);
    CHECK(message.find("model.layers.0.self_attn.k_proj is (8, 32), expected (16, 32)") !=
          std::string::npos);
    CHECK(message.find("model.norm is (31), expected (32)") != std::string::npos);
    CHECK(message.find("model.layers.0.self_attn.q_proj.bias is not part") != std::string::npos);
    CHECK(message.find("model.layers.3.mlp.up_proj is not part") != std::string::npos);
  }

  TEST_CASE("a picture model's language half is found under either prefix") {
    MemoryFiles plain = random_files(kTinyLlama);
    const mx::array ids = counting_ids(8);
    const auto expected = load_decoder(plain, tensor::Compute::kFloat32)->hidden(ids);
    for (const bool inner : {false, true}) {
      std::map<std::string, mx::array> renamed;
      for (const auto& [name, array] : plain.tensors())
        renamed.emplace(inner ? "model.language_model." + name.substr(6) : "language_model." + name,
                        array);
      renamed.emplace("vision_tower.patch.weight", mx::zeros({2, 2}));
      const MemoryFiles files(kTinyLlama, renamed);
      CHECK(largest_difference(load_decoder(files, tensor::Compute::kFloat32)->hidden(ids),
                               expected) == 0.0f);
    }
  }

  TEST_CASE("packed rows and a cache do not go together") {
    const auto decoder = load_decoder(random_files(kTinyLlama), tensor::Compute::kFloat32);
    KvCache cache(decoder->config());
    const mx::array segments = ids_of({0, 0});
    CHECK_THROWS_AS(decoder->hidden(ids_of({1, 2}), {.segments = &segments, .cache = &cache}),
                    Error);
  }
}

}  // namespace toolkit::models

#include <doctest/doctest.h>

#include <cmath>

#include "core/base/error.h"
#include "core/base/json.h"
#include "models/decoder.h"
#include "models/testing/memory_files.h"

namespace toolkit::models {

namespace {

DecoderConfig parse(const char* changes) {
  Json config = Json::parse(testing::kTinyLlama);
  config.update(Json::parse(changes));
  return decoder_config_from_json(config.dump(), "config.json");
}

std::string message_of(const char* changes) {
  try {
    parse(changes);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a llama configuration") {
    const DecoderConfig config = parse("{}");
    CHECK(config.head_dim == 8);
    CHECK(config.num_kv_heads == 2);
    CHECK(config.tied_embeddings);
    CHECK_FALSE(config.attention_bias);
    CHECK(config.attention_scale == doctest::Approx(1.0 / std::sqrt(8.0)));
    CHECK(config.layers.size() == 3);
    CHECK(config.layers[0].window == 0);
    REQUIRE(config.ropes.size() == 1);
    REQUIRE(config.ropes[0].frequencies.size() == 4);
    CHECK(config.ropes[0].frequencies[0] == 1.0f);
    CHECK(config.ropes[0].frequencies[1] == doctest::Approx(0.1));
  }

  TEST_CASE("traits of the families") {
    const DecoderConfig qwen2 = parse(R"({"model_type": "qwen2"})");
    CHECK(qwen2.attention_bias);
    CHECK_FALSE(qwen2.output_bias);
    const DecoderConfig qwen3 = parse(R"({"model_type": "qwen3"})");
    CHECK(qwen3.query_key_norm);
    CHECK(qwen3.head_dim == 128);
    const DecoderConfig mistral = parse(R"({"model_type": "mistral", "sliding_window": 12})");
    CHECK(mistral.layers[2].window == 12);
    CHECK(parse(R"({"model_type": "mistral", "sliding_window": null})").layers[0].window == 0);
    const DecoderConfig smollm3 =
        parse(R"({"model_type": "smollm3", "num_hidden_layers": 4, "rope_theta": null})");
    CHECK(smollm3.layers[0].rotates);
    CHECK_FALSE(smollm3.layers[3].rotates);
    const DecoderConfig listed = parse(R"({"model_type": "smollm3", "no_rope_layers": [1, 0, 1]})");
    CHECK_FALSE(listed.layers[1].rotates);
  }

  TEST_CASE("gemma: soft caps, windows and two rotations") {
    const DecoderConfig gemma2 = parse(
        R"({"model_type": "gemma2", "sliding_window": 7, "query_pre_attn_scalar": 16, "head_dim": 8})");
    CHECK(gemma2.post_norms);
    CHECK(gemma2.norm_adds_one);
    CHECK(gemma2.attention_softcap == 50.0f);
    CHECK(gemma2.logit_softcap == 30.0f);
    CHECK(gemma2.attention_scale == 0.25f);
    CHECK(gemma2.embedding_scale == doctest::Approx(std::sqrt(32.0)));
    CHECK(gemma2.layers[0].window == 7);
    CHECK(gemma2.layers[1].window == 0);
    const DecoderConfig gemma3 = parse(
        R"({"model_type": "gemma3", "text_config": {"hidden_size": 32, "intermediate_size": 64,
            "num_hidden_layers": 6, "sliding_window": 5, "rope_scaling": {"rope_type": "linear", "factor": 8.0}}})");
    CHECK(gemma3.head_dim == 256);
    CHECK(gemma3.attention_softcap == 0.0f);
    CHECK(gemma3.layers[4].window == 5);
    CHECK(gemma3.layers[4].rope == 1);
    CHECK(gemma3.layers[5].window == 0);
    CHECK(gemma3.layers[5].rope == 0);
    CHECK(gemma3.ropes[0].frequencies[0] == doctest::Approx(1.0 / 8.0));
    CHECK(gemma3.ropes[1].frequencies[0] == 1.0f);
    CHECK(gemma3.ropes[1].frequencies[64] == doctest::Approx(0.01));
  }

  TEST_CASE("qwen windows need to be switched on") {
    const char* off = R"({"model_type": "qwen2", "sliding_window": 9, "max_window_layers": 1})";
    CHECK(parse(off).layers[2].window == 0);
    const char* on = R"({"model_type": "qwen2", "sliding_window": 9, "max_window_layers": 1,
                         "use_sliding_window": true})";
    CHECK(parse(on).layers[0].window == 0);
    CHECK(parse(on).layers[2].window == 9);
  }

  TEST_CASE("rotations are scaled as transformers scales them") {
    // Numbers from transformers 5.23 (modeling_rope_utils), head size 8, base 10000.
    const auto check = [](const char* scaling, std::initializer_list<double> expected,
                          double scale) {
      const std::string text = std::string(R"({"rope_scaling": )") + scaling + "}";
      const DecoderConfig::Rope rope = parse(text.c_str()).ropes[0];
      size_t i = 0;
      for (const double value : expected)
        CHECK(rope.frequencies[i++] == doctest::Approx(value).epsilon(1e-5));
      CHECK(rope.scale == doctest::Approx(scale).epsilon(1e-5));
    };
    check(R"({"rope_type": "linear", "factor": 4.0})",
          {0.25, 0.0250000004, 0.00249999994, 0.000250000012}, 1);
    check(
        R"({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 512})",
        {1, 0.100000001, 0.00124999997, 0.000125000006}, 1);
    check(R"({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128})",
          {1, 0.0625, 0.00249999994, 0.000250000012}, 1.13862944);
    check(
        R"({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128, "mscale": 1.0, "mscale_all_dim": 0.5, "beta_fast": 16, "beta_slow": 2, "truncate": false})",
        {1, 0.0256643984, 0.00249999994, 0.000250000012}, 1.06482163);
    check(R"({"rope_type": "dynamic", "factor": 4.0})",
          {1, 0.100000001, 0.00999999978, 0.00100000005}, 1);
  }

  TEST_CASE("errors name the key, what was expected and what was found") {
    CHECK(message_of(R"({"model_type": "gpt_neox"})")
              .find("'gpt_neox' is not supported; known: llama, mistral") != std::string::npos);
    CHECK(message_of(R"({"hidden_size": "big"})")
              .find("\"hidden_size\" must be a whole number, found \"big\"") != std::string::npos);
    CHECK(message_of(R"({"num_hidden_layers": -3})").find("1..4096, found -3") !=
          std::string::npos);
    CHECK(message_of(R"({"vocab_size": null})").find("\"vocab_size\" is missing") !=
          std::string::npos);
    CHECK(message_of(R"({"num_key_value_heads": 3})").find("multiple") != std::string::npos);
    CHECK(message_of(R"({"head_dim": 7})").find("even") != std::string::npos);
    CHECK(message_of(R"({"rope_scaling": {"rope_type": "longrope"}})").find("'longrope'") !=
          std::string::npos);
    CHECK(
        message_of(R"({"rope_scaling": {"rope_type": "linear"}})").find("\"factor\" is missing") !=
        std::string::npos);
    CHECK(message_of(R"({"layer_types": ["full_attention"]})").find("one entry per layer") !=
          std::string::npos);
    CHECK(message_of(R"({"layer_types": ["full_attention", "linear_attention", "full_attention"]})")
              .find("linear_attention") != std::string::npos);
    CHECK(message_of(R"({"hidden_act": "relu2"})").find("relu2") != std::string::npos);
    CHECK(message_of(R"({"rms_norm_eps": 0})").find("above zero") != std::string::npos);
    CHECK_THROWS_AS(decoder_config_from_json("[]", "config.json"), Error);
    CHECK_THROWS_AS(decoder_config_from_json("{", "config.json"), Error);
    CHECK_THROWS_AS(decoder_config_from_json("{}", "config.json"), Error);
  }
}

}  // namespace toolkit::models

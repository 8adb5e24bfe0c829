#include "models/bert.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "core/base/error.h"
#include "core/base/testing.h"
#include "core/checkpoint/safetensors.h"
#include "mlx/mlx.h"

namespace toolkit::models {

namespace {

using testing::contains;

const std::filesystem::path kFixtures = std::filesystem::path(TOOLKIT_FIXTURES) / "bert";

std::unique_ptr<BertEncoder> load(const std::string& name) {
  return load_bert(*checkpoint::open_model_files(kFixtures / name), tensor::Compute::kFloat32);
}

std::string refusal(const std::string& config, ErrorKind kind) {
  return testing::refusal_of([&] { bert_config_from_json(config, "test"); }, kind);
}

float largest_gap(const mx::array& a, const mx::array& b) {
  return mx::max(mx::abs(mx::subtract(a, b))).item<float>();
}

mx::array row_of(const std::vector<int32_t>& values) {
  return mx::array(values.begin(), {1, static_cast<int>(values.size())}, mx::int32);
}

}  // namespace

TEST_SUITE("reference") {
  TEST_CASE("two texts in one row have the hidden states that transformers gives each alone") {
    for (const char* name : {"bert", "roberta"}) {
      CAPTURE(name);
      const auto encoder = load(name);
      const auto expected = checkpoint::load_safetensors(kFixtures / name / "expected.safetensors");
      const mx::array first = expected.at("ids.0"), second = expected.at("ids.1");
      const int a = first.shape(1), b = second.shape(1);
      std::vector<int32_t> segments, positions;
      for (int i = 0; i < a + b; ++i) {
        segments.push_back(i < a ? 0 : 1);
        positions.push_back(i < a ? i : i - a);
      }
      const mx::array hidden =
          encoder->hidden(mx::concatenate({first, second}, 1), row_of(segments), row_of(positions));
      const int width = encoder->config().hidden_size;
      CHECK(largest_gap(mx::slice(hidden, {0, 0, 0}, {1, a, width}), expected.at("hidden.0")) <
            2e-5f);
      CHECK(largest_gap(mx::slice(hidden, {0, a, 0}, {1, a + b, width}), expected.at("hidden.1")) <
            2e-5f);
    }
  }
}

TEST_SUITE("unit") {
  TEST_CASE("a config is an encoder's or not") {
    CHECK(is_bert_config(R"({"model_type": "bert"})"));
    CHECK(is_bert_config(R"({"model_type": "xlm-roberta"})"));
    for (const char* other : {R"({"model_type": "llama"})", "{}", "[", R"({"model_type": 1})"})
      CHECK_FALSE(is_bert_config(other));
    CHECK(load("bert")->max_tokens() == 30);
    CHECK(load("roberta")->max_tokens() == 28);
  }

  TEST_CASE("what an encoder cannot be is named") {
    const auto with = [](const std::string& members) {
      return R"({"model_type": "bert", "hidden_size": 24, "intermediate_size": 40,
        "num_hidden_layers": 2, "num_attention_heads": 3, "vocab_size": 96,
        "max_position_embeddings": 30)" +
             members + "}";
    };
    CHECK(bert_config_from_json(with(""), "test").norm_eps == doctest::Approx(1e-12f));
    CHECK(
        contains(refusal(with(R"(, "hidden_act": "swish")"), ErrorKind::kUnsupported), "'swish'"));
    CHECK(contains(
        refusal(with(R"(, "position_embedding_type": "relative_key")"), ErrorKind::kUnsupported),
        "absolute"));
    CHECK(contains(refusal(R"({"model_type": "deberta"})", ErrorKind::kUnsupported), "'deberta'"));
    CHECK(contains(refusal(R"({"model_type": "bert"})", ErrorKind::kUserInput), "hidden_size"));
    CHECK(contains(refusal(with(R"(, "num_attention_heads": 5)"), ErrorKind::kUserInput), ""));
  }

  TEST_CASE("missing and misshapen weights are named together") {
    const testing::TestingFolder folder;
    auto tensors = checkpoint::load_safetensors(kFixtures / "bert/model.safetensors");
    std::map<std::string, mx::array> kept(tensors.begin(), tensors.end());
    kept.erase("encoder.layer.1.output.dense.bias");
    kept.insert_or_assign("embeddings.word_embeddings.weight", mx::zeros({95, 24}));
    checkpoint::save_safetensors(folder.path / "model.safetensors", kept);
    std::filesystem::copy_file(kFixtures / "bert/config.json", folder.path / "config.json");
    const std::string said = testing::refusal_of(
        [&] { load_bert(*checkpoint::open_model_files(folder.path), tensor::Compute::kFloat32); },
        ErrorKind::kUserInput);
    CHECK(contains(said, "encoder.layer.1.output.dense.bias is missing"));
    CHECK(contains(said, "embeddings.word_embeddings.weight is (95, 24), expected (96, 24)"));
  }
}

}  // namespace toolkit::models

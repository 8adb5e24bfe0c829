#include <doctest/doctest.h>

#include <algorithm>
#include <iostream>

#include "core/base/json.h"
#include "core/base/testing.h"
#include "core/checkpoint/gguf_builder.h"
#include "core/checkpoint/input_file.h"
#include "core/checkpoint/model_files.h"
#include "mlx/mlx.h"

namespace toolkit::checkpoint {

namespace {

namespace fs = std::filesystem;
using testing::TestingFolder;

const fs::path kFixtures = TOOLKIT_FIXTURES;

fs::path sample_model() {
  for (const auto& entry :
       fs::recursive_directory_iterator(fs::path(TOOLKIT_SOURCE_DIR) / ".venv/lib"))
    if (entry.path().extension() == ".gguf") return entry.path();
  return {};
}

/// The weight in f32; scales are widened first, as f16 arithmetic would round.
mx::array in_float32(const tensor::Weight& weight) {
  if (!weight.quantized()) return mx::astype(weight.data, mx::float32);
  return mx::dequantize(weight.data, mx::astype(*weight.scales, mx::float32),
                        mx::astype(*weight.biases, mx::float32), weight.group_size, weight.bits);
}

float largest_difference(const mx::array& a, const mx::array& b) {
  return mx::max(mx::abs(mx::subtract(a, b))).item<float>();
}

/// A model of one layer with made metadata; tensors are F32 and hold 0, 1, 2, ...
class SmallGguf {
 public:
  explicit SmallGguf(std::string architecture) : architecture_(std::move(architecture)) {
    file_key(GgufBuilder().key_text("general.architecture", architecture_));
    for (const auto& [key, value] :
         std::vector<std::pair<const char*, uint32_t>>{{"embedding_length", 8},
                                                       {"feed_forward_length", 16},
                                                       {"block_count", 1},
                                                       {"context_length", 64},
                                                       {"attention.head_count", 2},
                                                       {"attention.head_count_kv", 1}})
      u32(key, value);
    f32("attention.layer_norm_rms_epsilon", 1e-5f);
    tensor("token_embd.weight", {8, 10});
  }
  SmallGguf& u32(const std::string& key, uint32_t value) {
    return file_key(GgufBuilder().key_u32(architecture_ + "." + key, value));
  }
  SmallGguf& f32(const std::string& key, float value) {
    return file_key(GgufBuilder().key_f32(architecture_ + "." + key, value));
  }
  SmallGguf& text(const std::string& key, const std::string& value) {
    return file_key(GgufBuilder().key_text(key, value));
  }
  SmallGguf& file_key(const GgufBuilder& key) {
    keys_.raw({key.bytes().begin(), key.bytes().end()});
    ++key_count_;
    return *this;
  }
  SmallGguf& tensor(const std::string& name, const std::vector<uint64_t>& dimensions) {
    tensors_.tensor(name, dimensions, 0, data_.bytes().size());
    uint64_t count = 1;
    for (const uint64_t size : dimensions) count *= size;
    for (uint64_t i = 0; i < count; ++i) data_.number<float>(static_cast<float>(i));
    data_.pad();
    ++tensor_count_;
    return *this;
  }
  SmallGguf& floats(const std::string& name, const std::vector<float>& values) {
    tensors_.tensor(name, {values.size()}, 0, data_.bytes().size());
    for (const float value : values) data_.number<float>(value);
    data_.pad();
    ++tensor_count_;
    return *this;
  }
  std::unique_ptr<ModelFiles> open() const {
    GgufBuilder file;
    file.preamble(tensor_count_, key_count_).raw({keys_.bytes().begin(), keys_.bytes().end()});
    file.raw({tensors_.bytes().begin(), tensors_.bytes().end()}).pad();
    file.raw({data_.bytes().begin(), data_.bytes().end()});
    return open_model_files(folder_.write("model.gguf", file.bytes()));
  }
  Json config() const { return Json::parse(open()->config_json()); }

 private:
  TestingFolder folder_;
  std::string architecture_;
  GgufBuilder keys_, tensors_, data_;
  uint64_t key_count_ = 0, tensor_count_ = 0;
};

std::vector<float> values_of(const mx::array& array) {
  return {array.data<float>(), array.data<float>() + array.size()};
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a Llama GGUF gives the configuration and weights of the folder it was made from") {
    const auto folder = open_model_files(kFixtures / "models/llama");
    const Json original = Json::parse(folder->config_json());
    for (const char* name : {"f16.gguf", "mixed.gguf"}) {
      CAPTURE(name);
      const auto files = open_model_files(kFixtures / "models/llama_gguf" / name);
      const Json config = Json::parse(files->config_json());
      for (const char* key :
           {"model_type", "hidden_size", "intermediate_size", "num_hidden_layers", "vocab_size",
            "num_attention_heads", "num_key_value_heads", "rms_norm_eps", "tie_word_embeddings",
            "max_position_embeddings", "rope_theta"})
        CHECK_MESSAGE(config.at(key) == original.at(key), key);
      CHECK_FALSE(config.contains("rope_scaling"));
      CHECK(config.at("head_dim") == 8);
      auto modules = files->modules(), expected_modules = folder->modules();
      std::sort(modules.begin(), modules.end());
      std::sort(expected_modules.begin(), expected_modules.end());
      CHECK(modules == expected_modules);
      const bool packed = std::string(name) == "mixed.gguf";
      for (const std::string& module : modules) {
        CAPTURE(module);
        const mx::array expected = folder->weight(module).data;
        const mx::array read = in_float32(files->weight(module));
        REQUIRE(read.shape() == expected.shape());
        const mx::array rounded = mx::astype(mx::astype(expected, mx::float16), mx::float32);
        if (expected.ndim() == 1)  // norms stay F32
          CHECK(largest_difference(read, expected) == 0.0f);
        else if (packed)
          CHECK(largest_difference(read, expected) <
                0.11f * mx::max(mx::abs(expected)).item<float>());
        else
          CHECK(largest_difference(read, rounded) == 0.0f);
      }
      CHECK(files->bos_token() == folder->bos_token());
      CHECK(files->eos_token() == folder->eos_token());
      CHECK(files->stop_ids() == std::vector<int32_t>{2});
      CHECK(files->chat_template() == folder->chat_template());
    }
  }

  TEST_CASE("rows of q and k come back from interleaved to half-split order, weights and biases") {
    SmallGguf llama("llama");
    llama.tensor("blk.0.attn_q.weight", {8, 8})
        .tensor("blk.0.attn_q.bias", {8})
        .tensor("blk.0.attn_v.bias", {4});
    const auto files = llama.open();
    const std::vector<float> order = {0, 2, 1, 3, 4, 6, 5, 7};  // two heads of size 4
    CHECK(values_of(*files->bias("model.layers.0.self_attn.q_proj")) == order);
    CHECK(values_of(*files->bias("model.layers.0.self_attn.v_proj")) ==
          std::vector<float>{0, 1, 2, 3});
    const auto rows = values_of(files->weight("model.layers.0.self_attn.q_proj").data);
    for (size_t row = 0; row < 8; ++row) CHECK(rows[8 * row] == 8 * order[row]);
    CHECK(llama.config().at("attention_bias") == true);
    SmallGguf qwen("qwen2");
    qwen.tensor("blk.0.attn_q.bias", {8});
    CHECK(values_of(*qwen.open()->bias("model.layers.0.self_attn.q_proj"))[1] == 1);
    SmallGguf odd("llama");
    odd.tensor("blk.0.attn_q.weight", {8, 6});
    CHECK_THROWS_WITH_AS(odd.open()->weight("model.layers.0.self_attn.q_proj"),
                         doctest::Contains("6 rows"), Error);
  }

  TEST_CASE("configurations of the other architectures") {
    SmallGguf qwen3("qwen3");
    qwen3.u32("attention.key_length", 16)
        .f32("rope.freq_base", 1e6f)
        .tensor("output.weight", {8, 10});
    qwen3.tensor("blk.0.attn_q_norm.weight", {16});
    const Json qwen = qwen3.config();
    CHECK(qwen.at("model_type") == "qwen3");
    CHECK(qwen.at("head_dim") == 16);
    CHECK(qwen.at("rope_theta") == 1e6);
    CHECK(qwen.at("tie_word_embeddings") == false);
    CHECK(qwen.at("rms_norm_eps") == 1e-5);
    CHECK(qwen3.open()->has("model.layers.0.self_attn.q_norm"));
    CHECK(qwen3.open()->has("lm_head"));

    SmallGguf mistral("llama");
    CHECK(mistral.u32("attention.sliding_window", 4096).config().at("model_type") == "mistral");
    CHECK(SmallGguf("smollm3").config().at("model_type") == "smollm3");

    SmallGguf gemma("gemma2");
    gemma.u32("attention.key_length", 4)
        .u32("attention.sliding_window", 12)
        .f32("attn_logit_softcapping", 4.0f);
    const Json gemma2 = gemma.config();
    CHECK(gemma2.at("query_pre_attn_scalar") == 4);
    CHECK(gemma2.at("attn_logit_softcapping") == 4.0);
    CHECK(gemma2.at("final_logit_softcapping") == 30.0);
    CHECK(gemma2.at("sliding_window") == 12);
    CHECK(gemma2.at("hidden_activation") == "gelu_pytorch_tanh");

    SmallGguf linear("gemma3");
    linear.text("gemma3.rope.scaling.type", "linear").f32("rope.scaling.factor", 8.0f);
    const Json gemma3 = linear.config();
    CHECK(gemma3.at("model_type") == "gemma3_text");
    CHECK(gemma3.at("sliding_window_pattern") == 6);
    CHECK(gemma3.at("rope_local_base_freq") == 10000.0);
    CHECK(gemma3.at("rope_scaling") == Json{{"rope_type", "linear"}, {"factor", 8.0}});
  }

  TEST_CASE("Gemma's norms hold w + 1 in GGUF and w here - its four norms have their names") {
    SmallGguf gemma("gemma2");
    for (const char* name : {"attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"})
      gemma.tensor("blk.0." + std::string(name) + ".weight", {8});
    const auto files = gemma.open();
    for (const char* name : {"input_layernorm", "post_attention_layernorm",
                             "pre_feedforward_layernorm", "post_feedforward_layernorm"})
      CHECK(values_of(files->weight("model.layers.0." + std::string(name)).data)[1] == 0.0f);
    SmallGguf llama("llama");
    llama.tensor("blk.0.attn_norm.weight", {8});
    CHECK(values_of(llama.open()->weight("model.layers.0.input_layernorm").data)[1] == 1.0f);
  }

  TEST_CASE("Llama 3's table of rotation factors becomes its settings again") {
    std::vector<float> factors;
    for (int i = 0; i < 32; ++i) {
      const double turns = 8192 * std::pow(500000.0, -i / 32.0) / (2 * 3.14159265358979);
      const double keep = std::clamp((turns - 1) / 3, 0.0, 1.0);
      factors.push_back(static_cast<float>(1 / ((1 - keep) / 32 + keep)));
    }
    SmallGguf model("llama");
    model.u32("rope.dimension_count", 64)
        .f32("rope.freq_base", 500000.0f)
        .floats("rope_freqs.weight", factors);
    const Json scaling = model.config().at("rope_scaling");
    CHECK(scaling.at("rope_type") == "llama3");
    CHECK(scaling.at("factor") == 32.0);
    CHECK(scaling.at("original_max_position_embeddings") == 8192);
    factors[20] *= 1.1f;
    SmallGguf other("llama");
    other.u32("rope.dimension_count", 64)
        .f32("rope.freq_base", 500000.0f)
        .floats("rope_freqs.weight", factors);
    CHECK_THROWS_WITH_AS(other.open(), doctest::Contains("rope_freqs.weight is not Llama 3's"),
                         Error);
    SmallGguf wrong_length("llama");
    wrong_length.floats("rope_freqs.weight", factors);
    CHECK_THROWS_WITH_AS(wrong_length.open(), doctest::Contains("expected 2 values in rope_freqs"),
                         Error);
  }

  TEST_CASE("files that are no model this program knows") {
    CHECK_THROWS_WITH_AS(SmallGguf("mamba").open(),
                         doctest::Contains("'mamba' is not supported; known: llama, qwen2"), Error);
    CHECK_THROWS_WITH_AS(SmallGguf("llama").u32("expert_count", 8).open(),
                         doctest::Contains("mixtures"), Error);
    CHECK_THROWS_WITH_AS(SmallGguf("llama").text("general.type", "adapter").open(),
                         doctest::Contains("adapter"), Error);
    CHECK_THROWS_WITH_AS(
        SmallGguf("llama").file_key(GgufBuilder().key_u32("split.count", 3)).open(),
        doctest::Contains("split over 3"), Error);
    CHECK_THROWS_WITH_AS(SmallGguf("llama").text("llama.rope.scaling.type", "longrope").open(),
                         doctest::Contains("'longrope'"), Error);
    SmallGguf unknown("llama");
    unknown.tensor("blk.0.attn_qkv.weight", {8, 24}).tensor("blk.01.attn_q.weight", {8, 8});
    const auto modules = unknown.open()->modules();
    CHECK(std::find(modules.begin(), modules.end(), "blk.0.attn_qkv") != modules.end());
    CHECK(std::find(modules.begin(), modules.end(), "blk.01.attn_q") != modules.end());
    CHECK_THROWS_WITH_AS(unknown.open()->weight("lm_head"),
                         doctest::Contains("no weight for 'lm_head'"), Error);
    const TestingFolder folder;
    GgufBuilder empty;
    empty.preamble(0, 1).key_text("general.architecture", "llama");
    CHECK_THROWS_WITH_AS(open_model_files(folder.write("e.gguf", empty.bytes())),
                         doctest::Contains("token_embd"), Error);
    CHECK_THROWS_WITH_AS(open_model_files(folder.write("e.gguf", "text")),
                         doctest::Contains("letters GGUF"), Error);
  }

  TEST_CASE("missing and impossible metadata is named") {
    const auto missing = [](const char* architecture) {
      GgufBuilder file;
      file.preamble(1, 1).key_text("general.architecture", architecture);
      return file.tensor("token_embd.weight", {8, 10}, 0, 0).pad().zeros(320);
    };
    const TestingFolder folder;
    CHECK_THROWS_WITH_AS(
        open_model_files(folder.write("m.gguf", missing("llama").bytes())),
        doctest::Contains(
            "expected llama.embedding_length to be a whole number from 1, found nothing"),
        Error);
    CHECK_THROWS_WITH_AS(SmallGguf("llama").u32("attention.key_length", 0).open(),
                         doctest::Contains("found 0"), Error);
    CHECK_THROWS_WITH_AS(SmallGguf("llama").text("llama.rope.freq_base", "x").open(),
                         doctest::Contains("another kind of value"), Error);
    CHECK_THROWS_WITH_AS(SmallGguf("llama").f32("rope.freq_base", -1.0f).open(),
                         doctest::Contains("above 0"), Error);
  }

  TEST_CASE("a vocabulary whose lists or ids do not fit is refused - stop tokens are found") {
    const auto model = [](uint64_t types, uint32_t eos) {
      SmallGguf file("llama");
      file.text("tokenizer.ggml.model", "gpt2").text("tokenizer.chat_template", "a<|im_end|>b");
      GgufBuilder tokens;
      tokens.text("tokenizer.ggml.tokens")
          .number<uint32_t>(9)
          .number<uint32_t>(8)
          .number<uint64_t>(3);
      tokens.text("<|endoftext|>").text("<|im_end|>").text("a");
      file.file_key(tokens);
      GgufBuilder kinds;
      kinds.text("tokenizer.ggml.token_type")
          .number<uint32_t>(9)
          .number<uint32_t>(5)
          .number<uint64_t>(types);
      for (uint64_t i = 0; i < types; ++i) kinds.number<int32_t>(3);
      file.file_key(kinds).file_key(GgufBuilder().key_u32("tokenizer.ggml.eos_token_id", eos));
      return file.open();
    };
    CHECK(model(3, 0)->stop_ids() == std::vector<int32_t>{0, 1});
    CHECK(model(3, 0)->eos_token() == "<|endoftext|>");
    SmallGguf unknown("llama");
    unknown.text("tokenizer.ggml.model", "nope");
    GgufBuilder one_token;
    one_token.text("tokenizer.ggml.tokens").number<uint32_t>(9).number<uint32_t>(8);
    unknown.file_key(one_token.number<uint64_t>(1).text("a"));
    const auto files = unknown.open();
    CHECK_THROWS_WITH_AS(files->tokenizer_json(), doctest::Contains("model.gguf: "), Error);
    CHECK_THROWS_WITH_AS(
        model(2, 0), doctest::Contains("expected 3 entries in tokenizer.ggml.token_type"), Error);
    CHECK_THROWS_WITH_AS(model(3, 3), doctest::Contains("a token id below 3, found 3"), Error);
  }
}

TEST_SUITE("reference") {
  TEST_CASE("the weights of SmolLM2 are those transformers makes of the same file") {
    const auto path = sample_model();
    if (path.empty()) {
      std::cout << "SKIPPED: the sample model is not installed (make setup)\n";
      return;
    }
    const auto files = open_model_files(path);
    const Json expected =
        Json::parse(read_text(kFixtures / "checkpoint/smollm2_weights.json", 1 << 24))
            .at("tensors");
    CHECK(files->modules().size() == expected.size());
    for (const auto& [name, tensor] : expected.items()) {
      CAPTURE(name);
      const std::string module = name.substr(0, name.rfind('.'));
      // f64 sums would need f64 arrays; chunks keep f32 exact enough instead.
      const mx::array weight = in_float32(files->weight(module));
      const mx::array flat = mx::contiguous(mx::reshape(weight, {-1}));
      mx::eval(flat);
      const float* values = flat.data<float>();
      double sum = 0, weighted = 0, scale = 0;
      for (size_t i = 0; i < flat.size(); ++i) {
        sum += static_cast<double>(values[i]);
        weighted += static_cast<double>(values[i]) * static_cast<double>(i % 1009);
        scale += std::abs(static_cast<double>(values[i]));
      }
      CHECK(std::abs(sum - tensor.at("sum").get<double>()) < 2e-7 * scale);
      CHECK(std::abs(weighted - tensor.at("weighted_sum").get<double>()) < 2e-7 * scale * 1009);
      for (const Json& sample : tensor.at("samples"))
        CHECK(values[sample[0].get<size_t>()] ==
              doctest::Approx(sample[1].get<double>()).epsilon(1e-6));
    }
    CHECK(files->bos_token() == "<|im_start|>");
    CHECK(files->eos_token() == "<|im_end|>");
  }
}

}  // namespace toolkit::checkpoint

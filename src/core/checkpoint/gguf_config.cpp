#include "core/checkpoint/gguf_config.h"

#include <cmath>
#include <numbers>

#include "core/base/error.h"

namespace toolkit::checkpoint {

namespace {

/// Reads `<architecture>.<key>`.
class Values {
 public:
  Values(const GgufHeader& header, const GgufArchitecture& architecture, const std::string& file)
      : header_(header), prefix_(std::string(architecture.name) + "."), file_(file) {}

  bool has(const std::string& key) const { return header_.metadata.contains(prefix_ + key); }
  const std::string& file() const { return file_; }

  int64_t integer(const std::string& key) const {
    const auto value = header_.integer(prefix_ + key);
    if (!value || *value < 1 || *value > INT32_MAX)
      fail(ErrorKind::kUserInput, "{}: expected {}{} to be a whole number from 1, found {}", file_,
           prefix_, key,
           value      ? std::to_string(*value)
           : has(key) ? "another kind of value"
                      : "nothing");
    return *value;
  }
  int64_t integer_or(const std::string& key, int64_t missing) const {
    return has(key) ? integer(key) : missing;
  }

  double positive(const std::string& key) const {
    const auto value = header_.number(prefix_ + key);
    if (!value || !std::isfinite(*value) || *value <= 0)
      fail(ErrorKind::kUserInput, "{}: expected {}{} to be a number above 0, found {}", file_,
           prefix_, key,
           value      ? std::to_string(*value)
           : has(key) ? "another kind of value"
                      : "nothing");
    // Stored as f32: the shortest decimal that means the same is what the model's maker wrote.
    return std::stod(fmt::format("{}", static_cast<float>(*value)));
  }
  double positive_or(const std::string& key, double missing) const {
    return has(key) ? positive(key) : missing;
  }

  std::string text_or(const std::string& key, const std::string& missing) const {
    return header_.text(prefix_ + key).value_or(missing);
  }

 private:
  const GgufHeader& header_;
  std::string prefix_;
  const std::string& file_;
};

/// Llama 3's scaling is stored as one divisor per pair; found again by trying the settings it was
/// published with. The largest divisor is the factor.
Json llama3_scaling(const std::vector<float>& factors, double base, const std::string& file) {
  double factor = 1.0;
  for (const float value : factors) {
    if (!std::isfinite(value) || value <= 0)
      fail(ErrorKind::kUserInput, "{}: expected the values of rope_freqs.weight to be above 0",
           file);
    factor = std::max(factor, static_cast<double>(value));
  }
  if (factor == 1.0) return nullptr;
  constexpr double kLow = 1.0, kHigh = 4.0, kTrained = 8192.0;
  for (size_t i = 0; i < factors.size(); ++i) {
    const double frequency =
        std::pow(base, -static_cast<double>(i) / static_cast<double>(factors.size()));
    const double turns = kTrained * frequency / (2.0 * std::numbers::pi);
    const double keep = std::clamp((turns - kLow) / (kHigh - kLow), 0.0, 1.0);
    const double expected = 1.0 / ((1.0 - keep) / factor + keep);
    if (std::abs(expected - static_cast<double>(factors[i])) > 1e-3 * expected)
      fail(ErrorKind::kUnsupported,
           "{}: rope_freqs.weight is not Llama 3's scaling (pair {}: expected {:.4f}, found "
           "{:.4f}); other scalings "
           "by table are not supported",
           file, i, expected, factors[i]);
  }
  return {{"rope_type", "llama3"},
          {"factor", factor},
          {"low_freq_factor", kLow},
          {"high_freq_factor", kHigh},
          {"original_max_position_embeddings", static_cast<int>(kTrained)}};
}

Json rope_scaling(const Values& values, const std::vector<float>& factors, double base) {
  if (!factors.empty()) return llama3_scaling(factors, base, values.file());
  const std::string type =
      values.text_or("rope.scaling.type", values.has("rope.scale_linear") ? "linear" : "none");
  if (type == "none" || type.empty()) return nullptr;
  if (type == "linear") {
    const double factor = values.has("rope.scaling.factor")
                              ? values.positive("rope.scaling.factor")
                              : values.positive_or("rope.scale_linear", 1.0);
    if (factor == 1.0) return nullptr;
    return {{"rope_type", "linear"}, {"factor", factor}};
  }
  if (type == "yarn") {
    Json scaling = {{"rope_type", "yarn"}, {"factor", values.positive("rope.scaling.factor")}};
    if (values.has("rope.scaling.original_context_length"))
      scaling["original_max_position_embeddings"] =
          values.integer("rope.scaling.original_context_length");
    if (values.has("rope.scaling.yarn_beta_fast"))
      scaling["beta_fast"] = values.positive("rope.scaling.yarn_beta_fast");
    if (values.has("rope.scaling.yarn_beta_slow"))
      scaling["beta_slow"] = values.positive("rope.scaling.yarn_beta_slow");
    return scaling;
  }
  fail(ErrorKind::kUnsupported,
       "{}: rope scaling '{}' is not supported; known: none, linear, yarn, Llama 3's",
       values.file(), type);
}

void refuse_what_has_no_words(const GgufHeader& header, const Values& values) {
  if (header.text("general.type").value_or("model") == "adapter")
    fail(ErrorKind::kUserInput, "{}: expected a model, found an adapter in GGUF form",
         values.file());
  if (header.integer("split.count").value_or(1) > 1)
    fail(ErrorKind::kUnsupported,
         "{}: the model is split over {} GGUF files; join them first (llama-gguf-split --merge)",
         values.file(), *header.integer("split.count"));
  if (values.has("expert_count") && values.integer_or("expert_count", 1) > 1)
    fail(ErrorKind::kUnsupported, "{}: mixtures of experts are not supported", values.file());
}

void add_gemma(const Values& values, const std::string& model_type, Json& config) {
  const int64_t layers = config["num_hidden_layers"], heads = config["num_attention_heads"];
  // Only the 27 billion sizes scale by hidden size over heads; GGUF tells them by their layers.
  const bool largest = layers == (model_type == "gemma2" ? 46 : 62);
  config["query_pre_attn_scalar"] =
      largest ? config["hidden_size"].get<int64_t>() / heads : config["head_dim"].get<int64_t>();
  config["hidden_activation"] = "gelu_pytorch_tanh";
  config["sliding_window"] = values.integer_or("attention.sliding_window", 4096);
  if (model_type == "gemma2") {
    config["sliding_window_pattern"] = 2;
    config["attn_logit_softcapping"] = values.positive_or("attn_logit_softcapping", 50.0);
    config["final_logit_softcapping"] = values.positive_or("final_logit_softcapping", 30.0);
  } else {
    config["sliding_window_pattern"] = values.integer_or("attention.sliding_window_pattern", 6);
    config["rope_local_base_freq"] = values.positive_or("rope.freq_base_swa", 10000.0);
    if (values.has("final_logit_softcapping"))
      config["final_logit_softcapping"] = values.positive("final_logit_softcapping");
  }
}

void add_ids(const GgufHeader& header, Json& config) {
  for (const char* name : {"bos", "eos", "padding"}) {
    const auto id = header.integer(std::string("tokenizer.ggml.") + name + "_token_id");
    const std::string key =
        std::string(name == std::string("padding") ? "pad" : name) + "_token_id";
    if (id && *id >= 0 && *id <= INT32_MAX) config[key] = *id;
  }
}

}  // namespace

Json config_from_gguf(const GgufHeader& header, const GgufArchitecture& architecture,
                      const GgufTraits& traits, const std::string& file) {
  const Values values(header, architecture, file);
  refuse_what_has_no_words(header, values);
  Json config;
  config["model_type"] = architecture.model_type;
  config["architectures"] = {architecture.class_name};
  config["vocab_size"] = traits.vocabulary_size;
  const int64_t hidden = config["hidden_size"] = values.integer("embedding_length");
  config["intermediate_size"] = values.integer("feed_forward_length");
  config["num_hidden_layers"] = values.integer("block_count");
  const int64_t heads = config["num_attention_heads"] = values.integer("attention.head_count");
  config["num_key_value_heads"] = values.integer_or("attention.head_count_kv", heads);
  const int64_t rotated = values.integer_or("rope.dimension_count", hidden / heads);
  const int64_t head_dim = config["head_dim"] = values.integer_or("attention.key_length", rotated);
  if (values.integer_or("attention.value_length", head_dim) != head_dim)
    fail(ErrorKind::kUnsupported,
         "{}: heads whose keys and values differ in size are not supported", file);
  if (values.integer_or("rope.dimension_count", head_dim) != head_dim)
    config["partial_rotary_factor"] =
        static_cast<double>(values.integer("rope.dimension_count")) / static_cast<double>(head_dim);
  config["max_position_embeddings"] = values.integer("context_length");
  config["rms_norm_eps"] = values.positive("attention.layer_norm_rms_epsilon");
  config["hidden_act"] = architecture.gemma ? "gelu_pytorch_tanh" : "silu";
  const double base = config["rope_theta"] = values.positive_or("rope.freq_base", 10000.0);
  if (!traits.rope_factors.empty() &&
      static_cast<int64_t>(traits.rope_factors.size()) * 2 != head_dim)
    fail(ErrorKind::kUserInput,
         "{}: expected {} values in rope_freqs.weight, one per pair of a head, found {}", file,
         head_dim / 2, traits.rope_factors.size());
  const Json scaling = rope_scaling(values, traits.rope_factors, base);
  if (!scaling.is_null()) config["rope_scaling"] = scaling;
  config["tie_word_embeddings"] = traits.tied;
  if (traits.attention_bias) config["attention_bias"] = true;
  if (architecture.gemma) {
    add_gemma(values, architecture.model_type, config);
  } else if (values.has("attention.sliding_window") && std::string(architecture.name) == "llama") {
    config["model_type"] = "mistral";  // Llama's layers with a window
    config["architectures"] = {"MistralForCausalLM"};
    config["sliding_window"] = values.integer("attention.sliding_window");
  }
  add_ids(header, config);
  return config;
}

}  // namespace toolkit::checkpoint

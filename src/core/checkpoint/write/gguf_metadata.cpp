#include "core/checkpoint/write/gguf_metadata.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "core/base/error.h"
#include "core/checkpoint/utf8.h"

namespace toolkit::checkpoint {

namespace {

/// Reads numbers of a config.json.
class Numbers {
 public:
  Numbers(const Json& config, const std::string& source) : config_(config), source_(source) {}

  std::optional<double> number(const char* key) const {
    const auto found = config_.find(key);
    if (found == config_.end() || found->is_null()) return std::nullopt;
    if (!found->is_number())
      fail(ErrorKind::kUserInput, "{}: expected \"{}\" to be a number, found {}", source_, key,
           printable(found->dump()));
    return found->get<double>();
  }
  uint32_t count(const char* key, std::optional<double> missing = std::nullopt) const {
    const std::optional<double> value = number(key) ? number(key) : missing;
    if (!value || !(*value >= 1) || !(*value <= INT32_MAX) || *value != std::floor(*value))
      fail(ErrorKind::kUserInput, "{}: expected \"{}\" to be a whole number from 1, found {}",
           source_, key, value ? std::to_string(*value) : "nothing");
    return static_cast<uint32_t>(*value);
  }
  const Json& config() const { return config_; }
  const std::string& source() const { return source_; }

 private:
  const Json& config_;
  const std::string& source_;
};

uint32_t head_size(const Numbers& numbers) {
  const uint32_t heads = numbers.count("num_attention_heads");
  return numbers.count("head_dim", numbers.count("hidden_size") / heads);
}

/// Rotation of the layers that see everything, in the older and the newer spelling.
Json rope_of(const Json& config) {
  Json rope = Json::object();
  if (const auto found = config.find("rope_parameters");
      found != config.end() && found->is_object())
    rope = found->contains("full_attention") ? found->at("full_attention") : *found;
  if (const auto found = config.find("rope_scaling"); found != config.end() && found->is_object())
    rope.update(*found);
  if (!rope.contains("rope_theta") && config.contains("rope_theta"))
    rope["rope_theta"] = config.at("rope_theta");
  if (!rope.contains("rope_type") && rope.contains("type")) rope["rope_type"] = rope.at("type");
  return rope;
}

std::string rope_type(const Json& rope) {
  const auto found = rope.find("rope_type");
  return found != rope.end() && found->is_string() ? found->get<std::string>() : "default";
}

double rope_base(const Json& config, const Json& rope) {
  const auto found = rope.find("rope_theta");
  if (found != rope.end() && found->is_number()) return *found;
  const std::string type = config.value("model_type", "");
  return type == "gemma3_text" ? 1e6 : type == "smollm3" ? 2e6 : 1e4;
}

void add_rope(const Numbers& numbers, const std::string& prefix, GgufMetadata& metadata) {
  const Json rope = rope_of(numbers.config());
  metadata.f32(prefix + "rope.freq_base", static_cast<float>(rope_base(numbers.config(), rope)));
  const Numbers parameters(rope, numbers.source());
  double share = numbers.number("partial_rotary_factor").value_or(1.0);
  share = parameters.number("partial_rotary_factor").value_or(share);
  metadata.u32(prefix + "rope.dimension_count",
               static_cast<uint32_t>(std::lround(share * head_size(numbers))));
  const std::string type = rope_type(rope);
  if (type == "default" || type == "llama3") return;  // llama3: rope_freqs.weight
  if (type != "linear" && type != "yarn")
    fail(ErrorKind::kUnsupported, "{}: rope scaling '{}' cannot be written as GGUF",
         numbers.source(), printable(type));
  metadata.text(prefix + "rope.scaling.type", type);
  metadata.f32(prefix + "rope.scaling.factor",
               static_cast<float>(parameters.number("factor").value_or(1.0)));
  if (type == "linear") return;
  if (parameters.number("original_max_position_embeddings"))
    metadata.u32(prefix + "rope.scaling.original_context_length",
                 parameters.count("original_max_position_embeddings"));
  for (const char* key : {"beta_fast", "beta_slow"})
    if (const auto value = parameters.number(key))
      metadata.f32(prefix + "rope.scaling.yarn_" + key, static_cast<float>(*value));
}

void add_windows(const Numbers& numbers, const GgufArchitecture& architecture,
                 const std::string& prefix, GgufMetadata& metadata) {
  const bool mistral = numbers.config().value("model_type", "") == "mistral";
  if (mistral && numbers.number("sliding_window"))
    metadata.u32(prefix + "attention.sliding_window", numbers.count("sliding_window"));
  if (!architecture.gemma) return;
  const bool second = std::string(architecture.name) == "gemma2";
  metadata.u32(prefix + "attention.sliding_window", numbers.count("sliding_window", 4096));
  if (second) {
    metadata.f32(prefix + "attn_logit_softcapping",
                 static_cast<float>(numbers.number("attn_logit_softcapping").value_or(50.0)));
    metadata.f32(prefix + "final_logit_softcapping",
                 static_cast<float>(numbers.number("final_logit_softcapping").value_or(30.0)));
    return;
  }
  if (const auto local = numbers.number("rope_local_base_freq"))
    metadata.f32(prefix + "rope.freq_base_swa", static_cast<float>(*local));
  if (const auto pattern = numbers.number("sliding_window_pattern"); pattern && *pattern != 6)
    fail(ErrorKind::kUnsupported,
         "{}: \"sliding_window_pattern\" {} cannot be written as GGUF: programs take 6 for this "
         "architecture",
         numbers.source(), *pattern);
  if (const auto cap = numbers.number("final_logit_softcapping"))
    metadata.f32(prefix + "final_logit_softcapping", static_cast<float>(*cap));
}

}  // namespace

void add_model_keys(const Json& config, const GgufArchitecture& architecture,
                    const std::string& source, GgufMetadata& metadata) {
  const Numbers numbers(config, source);
  const std::string prefix = std::string(architecture.name) + ".";
  const uint32_t heads = numbers.count("num_attention_heads"), size = head_size(numbers);
  metadata.u32(prefix + "vocab_size", numbers.count("vocab_size"));
  metadata.u32(prefix + "context_length", numbers.count("max_position_embeddings", 2048));
  metadata.u32(prefix + "embedding_length", numbers.count("hidden_size"));
  metadata.u32(prefix + "block_count", numbers.count("num_hidden_layers"));
  metadata.u32(prefix + "feed_forward_length", numbers.count("intermediate_size"));
  metadata.u32(prefix + "attention.head_count", heads);
  metadata.u32(prefix + "attention.head_count_kv", numbers.count("num_key_value_heads", heads));
  metadata.u32(prefix + "attention.key_length", size);
  metadata.u32(prefix + "attention.value_length", size);
  metadata.f32(prefix + "attention.layer_norm_rms_epsilon",
               static_cast<float>(numbers.number("rms_norm_eps").value_or(1e-6)));
  add_rope(numbers, prefix, metadata);
  add_windows(numbers, architecture, prefix, metadata);
}

std::vector<float> rope_divisors(const Json& config, const std::string& source) {
  const Json rope = rope_of(config);
  if (rope_type(rope) != "llama3") return {};
  const Numbers numbers(rope, source);
  const double factor = numbers.number("factor").value_or(8.0);
  const double low = numbers.number("low_freq_factor").value_or(1.0);
  const double high = numbers.number("high_freq_factor").value_or(4.0);
  const double trained = numbers.number("original_max_position_embeddings").value_or(8192.0);
  const uint32_t pairs = head_size(Numbers(config, source)) / 2;
  const double base = rope_base(config, rope);
  std::vector<float> divisors;
  for (uint32_t i = 0; i < pairs; ++i) {
    const double frequency = std::pow(base, -static_cast<double>(i) / pairs);
    const double turns = trained * frequency / (2.0 * std::numbers::pi);
    const double keep = std::clamp((turns - low) / (high - low), 0.0, 1.0);
    divisors.push_back(static_cast<float>(1.0 / ((1.0 - keep) / factor + keep)));
  }
  return divisors;
}

void add_tokenizer_keys(const text::GgufVocabulary& vocabulary,
                        const std::vector<int32_t>& stop_ids, GgufMetadata& metadata) {
  const std::string prefix = "tokenizer.ggml.";
  metadata.text(prefix + "model", vocabulary.model);
  if (!vocabulary.pre.empty()) metadata.text(prefix + "pre", vocabulary.pre);
  metadata.texts(prefix + "tokens", vocabulary.tokens);
  if (!vocabulary.scores.empty()) metadata.f32s(prefix + "scores", vocabulary.scores);
  if (!vocabulary.types.empty()) metadata.i32s(prefix + "token_type", vocabulary.types);
  if (!vocabulary.merges.empty()) metadata.texts(prefix + "merges", vocabulary.merges);
  const auto id = [&](const char* role, int32_t value) {
    if (value >= 0)
      metadata.u32(prefix + role + std::string("_token_id"), static_cast<uint32_t>(value));
  };
  id("bos", vocabulary.bos);
  id("eos", vocabulary.eos);
  id("unknown", vocabulary.unknown);
  id("padding", vocabulary.padding);
  const auto turn_end = std::find_if(stop_ids.begin(), stop_ids.end(),
                                     [&](int32_t stop) { return stop != vocabulary.eos; });
  if (turn_end != stop_ids.end()) id("eot", *turn_end);
  metadata.flag(prefix + "add_bos_token", vocabulary.add_bos);
  metadata.flag(prefix + "add_eos_token", vocabulary.add_eos);
  if (vocabulary.model == "llama")
    metadata.flag(prefix + "add_space_prefix", vocabulary.add_space_prefix);
}

}  // namespace toolkit::checkpoint

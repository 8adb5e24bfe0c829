#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>

#include "core/base/error.h"
#include "core/checkpoint/model_files.h"
#include "mlx/mlx.h"
#include "models/decoder.h"
#include "models/decoder_parts.h"

namespace toolkit::models::testing {

/// A model in memory, for tests: tensors by their full name.
class MemoryFiles : public checkpoint::ModelFiles {
 public:
  MemoryFiles(std::string config, std::map<std::string, mx::array> tensors)
      : config_(std::move(config)), tensors_(std::move(tensors)) {}

  const std::filesystem::path& path() const override { return path_; }
  std::string config_json() const override { return config_; }
  std::optional<std::string> tokenizer_json() const override { return std::nullopt; }
  std::optional<std::string> chat_template() const override { return std::nullopt; }
  std::string bos_token() const override { return ""; }
  std::string eos_token() const override { return ""; }
  std::vector<int32_t> stop_ids() const override { return {}; }
  std::vector<std::string> modules() const override {
    std::set<std::string> names;
    for (const auto& [name, array] : tensors_) names.insert(name.substr(0, name.rfind('.')));
    return {names.begin(), names.end()};
  }
  bool has(const std::string& module) const override {
    return tensors_.contains(module + ".weight");
  }
  tensor::Weight weight(const std::string& module) const override {
    return {.data = tensors_.at(module + ".weight")};
  }
  std::optional<mx::array> bias(const std::string& module) const override {
    const auto found = tensors_.find(module + ".bias");
    if (found == tensors_.end()) return std::nullopt;
    return found->second;
  }
  uint64_t size_bytes() const override { return 0; }

  std::map<std::string, mx::array>& tensors() { return tensors_; }

 private:
  std::filesystem::path path_ = "memory";
  std::string config_;
  std::map<std::string, mx::array> tensors_;
};

/// Names and shapes of every tensor a model wants, filled with small random numbers.
struct RandomFiller {
  std::map<std::string, mx::array> tensors;
  uint64_t seed = 1;

  mx::array random(const mx::Shape& shape) {
    return mx::multiply(mx::random::normal(shape, mx::float32, 0.0f, 0.2f, mx::random::key(seed++)),
                        mx::array(1.0f));
  }
  void operator()(const std::string& path, nn::Linear& layer) {
    tensors.emplace(path + ".weight", random(layer.weight.data.shape()));
    if (layer.bias) tensors.emplace(path + ".bias", random(layer.bias->shape()));
  }
  void operator()(const std::string& path, nn::Embedding& embedding) {
    tensors.emplace(path + ".weight", random(embedding.table.data.shape()));
  }
  void operator()(const std::string& path, mx::array& norm) {
    tensors.emplace(path + ".weight", mx::add(random(norm.shape()), mx::array(1.0f)));
  }
};

inline MemoryFiles random_files(const std::string& config_json) {
  Decoder::Parts parts(decoder_config_from_json(config_json, "config.json"));
  RandomFiller filler;
  nn::Walker walker(filler);
  parts.visit(walker);
  return MemoryFiles(config_json, filler.tensors);
}

inline const char* const kTinyLlama = R"({"model_type": "llama", "hidden_size": 32,
  "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
  "vocab_size": 64, "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
  "tie_word_embeddings": true})";

inline const char* const kTinyCappedGemma =
    R"({"model_type": "gemma2", "hidden_size": 32, "intermediate_size": 48,
  "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
  "vocab_size": 64, "sliding_window": 6, "query_pre_attn_scalar": 8,
  "final_logit_softcapping": 3.0, "attn_logit_softcapping": 2.0})";

inline float largest_difference(const mx::array& a, const mx::array& b) {
  return mx::max(mx::abs(mx::subtract(a, b))).item<float>();
}

}  // namespace toolkit::models::testing

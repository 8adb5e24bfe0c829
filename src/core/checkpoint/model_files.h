#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/checkpoint/gguf_header.h"
#include "core/tensor/linear.h"
#include "core/text/gguf_tokenizer.h"

namespace toolkit::checkpoint {

/// What a model consists of, wherever it came from: configuration in Hugging Face's words, weights
/// by Hugging Face path ("model.layers.0.self_attn.q_proj"), tokenizer and chat template as text.
class ModelFiles {
 public:
  virtual ~ModelFiles() = default;

  virtual const std::filesystem::path& path() const = 0;
  virtual std::string config_json() const = 0;  // config.json, or made from GGUF metadata
  virtual std::optional<std::string> tokenizer_json() const = 0;
  virtual std::optional<std::string> chat_template() const = 0;
  virtual std::string bos_token() const = 0;  // text, may be empty
  virtual std::string eos_token() const = 0;
  virtual std::vector<int32_t> stop_ids() const = 0;  // eos ids of generation_config, config, GGUF

  /// Module paths that have a weight ("model.embed_tokens", "model.layers.0.mlp.up_proj").
  virtual std::vector<std::string> modules() const = 0;
  virtual bool has(const std::string& module) const = 0;
  /// Dense, or packed when `<module>.scales` exists. Throws Error(kNotFound) naming the module.
  virtual tensor::Weight weight(const std::string& module) const = 0;
  /// `<module>.bias`, or nothing.
  virtual std::optional<mx::array> bias(const std::string& module) const = 0;
  virtual uint64_t size_bytes() const = 0;
};

/// Opens a Hugging Face folder (config.json, *.safetensors, sharded or not, MLX-quantized or not)
/// or a .gguf file. All headers are checked here. Throws Error(kNotFound | kUserInput |
/// kUnsupported).
std::unique_ptr<ModelFiles> open_model_files(const std::filesystem::path& path);

}  // namespace toolkit::checkpoint

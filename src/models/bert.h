#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/checkpoint/model_files.h"
#include "core/tensor/activation.h"
#include "core/tensor/backend.h"
#include "mlx/array.h"

namespace mx = mlx::core;

namespace toolkit::models {

/// An encoder of the BERT family as data (Devlin et al. 2018, arXiv:1810.04805).
struct BertConfig {
  std::string family;  // Hugging Face's model_type: bert, roberta, xlm-roberta
  int hidden_size = 0, intermediate_size = 0, num_layers = 0, num_heads = 0;
  int vocabulary_size = 0, max_positions = 0, token_types = 0;
  int first_position = 0;  // of a text's first token: RoBERTa's come after the padding id
  float norm_eps = 1e-12f;
  tensor::Activation activation = tensor::Activation::kGelu;
};

/// Whether a config.json is of an encoder this program knows, not of a decoder.
bool is_bert_config(const std::string& config_json);

/// Reads Hugging Face's config.json. Throws Error(kUnsupported) for another model or an activation
/// or position embedding it does not know, Error(kUserInput) for a missing or impossible value.
BertConfig bert_config_from_json(const std::string& config_json, const std::string& source);

/// The model without its pooler and heads.
class BertEncoder {
 public:
  explicit BertEncoder(BertConfig config);
  ~BertEncoder();
  BertEncoder(BertEncoder&&) noexcept;

  /// Packed rows: ids, segments and positions (B, T) int32 -> (B, T, C). A token sees the tokens of
  /// its segment, in both directions; positions count from 0 in each text; see
  /// tensor::AttentionOptions.
  mx::array hidden(const mx::array& ids, const mx::array& segments,
                   const mx::array& positions) const;

  const BertConfig& config() const;
  int max_tokens() const { return config().max_positions - config().first_position; }
  void set_compute(tensor::Compute compute);

  struct Parts;

 private:
  std::unique_ptr<Parts> parts_;
  friend std::unique_ptr<BertEncoder> load_bert(const checkpoint::ModelFiles&, tensor::Compute);
};

/// Builds the encoder and loads its weights; every missing or misshapen tensor is named in one
/// Error(kUserInput). Pooler and heads in the files are left out.
std::unique_ptr<BertEncoder> load_bert(const checkpoint::ModelFiles& files,
                                       tensor::Compute compute);

}  // namespace toolkit::models

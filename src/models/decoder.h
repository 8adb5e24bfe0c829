#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/checkpoint/model_files.h"
#include "core/checkpoint/weight_form.h"
#include "core/nn/linear.h"
#include "core/nn/visit.h"
#include "core/tensor/gated_activation.h"

namespace toolkit::models {

/// A decoder-only language model as data: what differs between Llama, Mistral, Qwen, SmolLM and
/// Gemma.
struct DecoderConfig {
  std::string family;  // Hugging Face's model_type, for messages only
  int hidden_size = 0, intermediate_size = 0, num_layers = 0;
  int num_heads = 0, num_kv_heads = 0, head_dim = 0;
  int vocabulary_size = 0, max_positions = 0;
  float norm_eps = 1e-6f;
  bool norm_adds_one = false;  // Gemma: weight is stored as w - 1
  bool attention_bias = false, output_bias = false, mlp_bias = false;
  bool query_key_norm = false;  // Qwen3, Gemma 3: RMSNorm of each head of q and k
  bool post_norms = false;      // Gemma 2/3: norms after attention and MLP too
  bool tied_embeddings = false;
  tensor::Gate gate = tensor::Gate::kSilu;
  float embedding_scale = 1.0f;  // Gemma: sqrt(hidden)
  float attention_scale = 0.0f;  // of q k^T
  float attention_softcap = 0.0f, logit_softcap = 0.0f;

  /// Per layer: which rotation and window it uses.
  struct Layer {
    bool rotates = true;  // SmolLM3: false every fourth layer
    int window = 0;       // sliding window; 0: none
    int rope = 0;         // index into ropes
  };
  struct Rope {
    std::vector<float> frequencies;  // (D'/2), scaling applied
    float scale = 1.0f;
  };
  std::vector<Layer> layers;
  std::vector<Rope> ropes;
};

/// Reads Hugging Face's config.json. Throws Error(kUnsupported) naming an architecture it does not
/// know and those it does; Error(kUserInput) for a missing or impossible value.
DecoderConfig decoder_config_from_json(const std::string& config_json, const std::string& source);

/// Keys and values of the tokens so far, per layer, in buffers that grow by steps and are written
/// in place. One cache serves one sequence (B = 1) or several of equal length.
class KvCache;

/// Packed rows whose samples begin with the same tokens, which stand in a row once.
struct SharedPrefix {
  mx::array lengths;    // (B) int32; see tensor::AttentionOptions
  mx::array positions;  // (B, T) int32, of each token in its sample
};

/// One array of the model itself that training may change; LoRA branches are not among them.
struct ModelParameter {
  enum class Kind { kEmbedding, kMatrix, kBias, kNorm };
  std::string name;  // "model.layers.0.self_attn.q_proj.weight", as in a checkpoint
  Kind kind;
  int layer;                       // -1 outside the decoder layers
  mx::Shape shape;                 // of the values: (out, in) of a packed matrix, too
  bool quantized;                  // packed: has no gradient
  std::vector<mx::array*> places;  // where it lies: a tied embedding is the head's weight, too
};

struct ForwardOptions {
  const mx::array* segments = nullptr;   // (B, T) int32, packed rows; see tensor::AttentionOptions
  const SharedPrefix* shared = nullptr;  // of packed rows
  KvCache* cache = nullptr;              // appended to; positions start at its length
  const mx::array* embedding_noise = nullptr;  // (B, T, C), added to the embeddings (NEFTune)
  bool checkpoint_layers = false;  // training: keep only each layer's input, recompute the rest
};

struct DecoderBlock;

/// How dense linear layers of the decoder layers are packed while they are loaded, one at a time
/// (QLoRA, Dettmers et al. 2023, arXiv:2305.14314): MLX's affine groups. Packed ones, embeddings
/// and head stay as they are.
struct BasePacking {
  int bits = 0;  // 4 or 8; 0: nothing is packed
  int group_size = 64;
};

/// The model. Members carry Hugging Face's names; `visit` walks them (core/nn/visit.h).
class Decoder {
 public:
  explicit Decoder(DecoderConfig config);
  ~Decoder();
  Decoder(Decoder&&) noexcept;

  /// ids (B, T) int32 -> (B, T, C) f32, after the final norm.
  mx::array hidden(const mx::array& ids, const ForwardOptions& options = {}) const;
  /// hidden (..., C) -> logits (..., V) f32, softcapped where the model says so.
  mx::array logits(const mx::array& hidden) const;
  /// One more token of a cached sequence (B = 1), outside MLX's graph: what generation on the CPU
  /// is made of. Writes its logits (V), advances the cache and returns true; false, with nothing
  /// done, where that is not possible: then use hidden() and logits().
  bool decode_token(int32_t id, KvCache& cache, std::span<float> logits) const;
  /// The head as a linear map, for tensor::linear_cross_entropy.
  tensor::LinearTerms head() const;

  const DecoderConfig& config() const;
  /// Every linear layer with its path ("model.layers.0.self_attn.q_proj"), in model order.
  std::vector<std::pair<std::string, nn::Linear*>> linears();
  /// Every array of the model with its name, in model order. The places belong to the model.
  std::vector<ModelParameter> parameters();
  /// Names of parameters() that are trained themselves, as full fine-tuning does. Empty at first.
  /// Throws Error(kInternal) for a name that is not there or a quantized array.
  void set_trained(std::set<std::string> names);
  /// Expands the named parameters that are packed or of 16 bits to f32, one after another; a tied
  /// head stays the embedding. Returns by how many bytes the model grew.
  int64_t make_dense(const std::set<std::string>& names);
  const std::set<std::string>& trained() const;
  int64_t parameter_count() const;
  void set_compute(tensor::Compute compute);  // prepares every frozen linear layer

  struct Parts;  // models/decoder_parts.h
  const Parts& parts() const { return *parts_; }
  Parts& parts() { return *parts_; }

 private:
  std::unique_ptr<Parts> parts_;
  friend std::unique_ptr<Decoder> load_decoder(const checkpoint::ModelFiles&, tensor::Compute,
                                               const BasePacking&);
};

/// How each of parameters() lies in the files, by name, biases left out. Told from the headers: no
/// weight is read. What is missing there is missing here.
std::map<std::string, checkpoint::WeightForm> stored_forms(const checkpoint::ModelFiles& files,
                                                           Decoder& model);

/// Builds the model and loads its weights; every missing, unknown or misshapen tensor is named in
/// one Error(kUserInput).
std::unique_ptr<Decoder> load_decoder(const checkpoint::ModelFiles& files, tensor::Compute compute,
                                      const BasePacking& packing = {});

}  // namespace toolkit::models

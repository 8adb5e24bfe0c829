#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/checkpoint/adapter.h"
#include "models/decoder.h"

namespace toolkit::engine {

/// What the factors of a fresh branch are.
///   kZero   a ~ U(-1/sqrt(in), 1/sqrt(in)), b = 0: the model's output does not change.
///           (Hu et al. 2021, arXiv:2106.09685)
///   kPissa  a and b are the leading singular triplets of the weight, which the base gives up: the
///           output does not change either, and what matters most learns. (Meng et al. 2024,
///           arXiv:2404.02948). A frozen branch takes them from the base, so that it may be packed
///           and stays exactly as it is, and the adapter is one of the original model.
enum class BranchStart { kZero, kPissa };

struct LoraOptions {
  int rank = 8;
  float scale = 2.0f;  // of a branch of this rank: alpha / rank, or alpha / sqrt(rank)
  /// Which linear layers, as ModulePattern reads it; empty: every one of the chosen decoder layers.
  std::vector<std::string> targets, excluded;
  std::vector<std::string>
      ranks;                     // "q_proj=16": other ranks, of the same alpha; the last one counts
  bool rank_stabilized = false;  // the scale of another rank is alpha / sqrt(rank) (rsLoRA)
  int num_layers = -1;           // the last N decoder layers; -1: all
  bool magnitudes = false;       // DoRA, see nn::Dora
  BranchStart start = BranchStart::kZero;
  uint64_t seed = 0;
};

/// Gives layers a fresh LoRA branch. Returns the layer-relative paths chosen ("self_attn.q_proj",
/// ...), in model order. Throws Error(kUserInput) for a rank below 1 or above a layer's width, more
/// layers than there are, a pattern that no layer matches (naming those there are), or nothing
/// left.
std::vector<std::string> attach_lora(models::Decoder& model, const LoraOptions& options);

/// A branch that attach_lora would make: (in, rank) and (rank, out).
struct BranchShape {
  int inputs, outputs, rank;
};

/// Of every branch attach_lora would make, told from shapes: nothing is read or allocated. Throws
/// as attach_lora does.
std::vector<BranchShape> branch_shapes(models::Decoder& model, const LoraOptions& options);

/// Names of the parameters that train_fully trains. Throws as train_fully does.
std::set<std::string> fully_trained(models::Decoder& model, int num_layers);

/// Makes the model's own arrays the trainable ones (full fine-tuning): all of them, or those of the
/// last N decoder layers. What is packed or of 16 bits among them is expanded to f32; returns by
/// how many bytes the model grew. Takes branches off.
int64_t train_fully(models::Decoder& model, int num_layers);

/// What the model trains, as an adapter of its method without tensors: rank, scale and the modules
/// that differ from them, keys.
checkpoint::Adapter adapter_form(models::Decoder& model);

/// Trained arrays by name as an adapter's tensors: with the frozen halves of branches (PiSSA: rank
/// 2r on the original base), norms as the model's files have them.
std::map<std::string, mx::array> adapter_tensors(models::Decoder& model,
                                                 std::map<std::string, mx::array> trained);

/// Puts the frozen halves that a saved adapter has back: a resumed PiSSA run starts from the same
/// bits. Throws Error(kUserInput) if it has others.
void restore_frozen(models::Decoder& model, const checkpoint::Adapter& saved);

/// Puts a saved adapter on the model, replacing any other; a full one replaces weights, and nothing
/// brings those back. Throws Error(kUserInput) naming every tensor whose module or shape the model
/// does not have.
void apply_adapter(models::Decoder& model, const checkpoint::Adapter& adapter);

/// What a saved adapter puts on one layer.
struct LayerBranch {
  nn::Linear* layer;
  tensor::LoraBranch lora;
  std::optional<nn::Dora> dora;  // with its scale
};

/// The branches of a LoRA or DoRA adapter, evaluated; the model stays as it is. Throws
/// Error(kUserInput) as apply_adapter does, Error(kUnsupported) for a full adapter.
std::vector<LayerBranch> adapter_branches(models::Decoder& model,
                                          const checkpoint::Adapter& adapter);

/// Takes every branch off.
void remove_adapter(models::Decoder& model);

}  // namespace toolkit::engine

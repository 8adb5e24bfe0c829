#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/tensor/array_fwd.h"
#include "mlx/array.h"

namespace toolkit::checkpoint {

/// What an adapter does to a layer y = Wx:
///   kLora  y = Wx + scale (x a) b                                 (Hu et al. 2021,
///   arXiv:2106.09685) kDora  the same W + scale (a b)^T with its rows rescaled to the norms m (Liu
///   et al. 2024,
///          arXiv:2402.09353)
///   kFull  W itself is replaced
enum class AdapterMethod { kLora, kDora, kFull };
const char* adapter_method_name(AdapterMethod method);  // "lora", "dora", "full"

/// An adapter, whatever layout it has on disk. Tensors carry mlx-lm's names and shapes:
///   `<module path>.lora_a` (in, r), `.lora_b` (r, out)   kLora and kDora
///   `<module path>.m` (out)                              kDora
///   `<module path>.weight`, `.bias`                      kFull
struct Adapter {
  AdapterMethod method = AdapterMethod::kLora;
  int rank = 8;
  float scale = 20.0f;  // used as is: y = Wx + scale * (x a) b
  /// Modules whose rank or scale is another one, by full path
  /// ("model.layers.0.self_attn.q_proj").
  std::map<std::string, int> rank_pattern;
  std::map<std::string, float> scale_pattern;
  bool use_rslora = false;  // scale is alpha / sqrt(rank): PEFT is told so (arXiv:2312.03732)
  float dropout = 0.0f;
  int num_layers = -1;            // last N layers; -1: all
  std::vector<std::string> keys;  // module paths relative to a layer ("self_attn.q_proj")
  std::string base_model;         // what it was trained on, for messages
  std::map<std::string, mx::array> tensors;

  int rank_of(const std::string& module) const;
  float scale_of(const std::string& module) const;
};

/// kMlx   adapters.safetensors and adapter_config.json of mlx-lm. It knows one rank and one scale:
///        smaller ranks are padded with zeros, other scales go into lora_b.
/// kPeft  adapter_model.safetensors and adapter_config.json of Hugging Face's PEFT.
enum class AdapterLayout { kMlx, kPeft };

/// Writes both files atomically (a reader sees the old pair or the new one; the config goes last).
/// Throws Error(kUserInput) for a method the layout has no words for.
void save_adapter(const std::filesystem::path& folder, const Adapter& adapter,
                  AdapterLayout layout = AdapterLayout::kMlx);

/// Which layout a folder holds, by its files. Throws Error(kNotFound) for none, Error(kUserInput)
/// for both.
AdapterLayout adapter_layout_of(const std::filesystem::path& folder);

/// Reads either layout and checks: known names, pairs complete, ranks as configured, every target
/// in every layer. Throws Error(kUserInput | kUnsupported) naming every tensor that does not fit.
Adapter load_adapter(const std::filesystem::path& folder);

}  // namespace toolkit::checkpoint

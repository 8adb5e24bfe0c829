#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/tensor/array_fwd.h"
#include "mlx/array.h"

namespace toolkit::checkpoint {

/// A LoRA adapter as it lies on disk in mlx-lm's layout: `adapters.safetensors` with
/// `<module path>.lora_a` (in, r), `<module path>.lora_b` (r, out), and `adapter_config.json`.
struct Adapter {
  int rank = 8;
  float scale = 20.0f;  // used as is: y = Wx + scale * (x a) b
  float dropout = 0.0f;
  int num_layers = -1;            // last N layers; -1: all
  std::vector<std::string> keys;  // module paths relative to a layer ("self_attn.q_proj")
  std::string base_model;         // what it was trained on, for messages
  std::map<std::string, mx::array> tensors;
};

/// Writes both files atomically (a reader sees the old pair or the new one; the config goes last).
void save_adapter(const std::filesystem::path& folder, const Adapter& adapter);

/// Reads and checks: known keys, pairs complete, ranks equal to the config's. Throws
/// Error(kUserInput) naming every tensor that does not fit.
Adapter load_adapter(const std::filesystem::path& folder);

}  // namespace toolkit::checkpoint

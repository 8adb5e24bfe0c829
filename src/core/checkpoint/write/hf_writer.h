#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "core/checkpoint/model_files.h"

namespace toolkit::checkpoint {

struct HfSaveOptions {
  uint64_t shard_bytes = 5'000'000'000;                         // of tensors in one file
  std::function<void(uint64_t done, uint64_t total)> progress;  // bytes of tensors
};

/// Writes a model as a Hugging Face folder: config.json, safetensors in shards with their index,
/// tokenizer files. Packed weights are written in MLX's form and named in config.json
/// ("quantization"); without any the folder is one that transformers reads. The folder appears
/// whole or not at all; the free space is checked first. Throws Error(kUserInput) if something is
/// there.
void save_hf_folder(const std::filesystem::path& folder, const ModelFiles& model,
                    const HfSaveOptions& options = {});

}  // namespace toolkit::checkpoint

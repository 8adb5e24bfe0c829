#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "core/checkpoint/safetensors.h"

namespace toolkit::checkpoint {

/// Where one tensor of a model folder lies.
struct PlacedTensor {
  std::filesystem::path file;
  SafetensorsEntry entry;
};

/// Every tensor of a Hugging Face folder by name, from model.safetensors.index.json, else
/// model.safetensors, else model*.safetensors. All headers are checked; the index may name only
/// files of the folder itself, and what it promises must be there. Throws Error(kNotFound |
/// kUserInput), Error(kUnsupported) for a folder with only pickles or GGUF files.
std::map<std::string, PlacedTensor> find_tensors(const std::filesystem::path& folder);

}  // namespace toolkit::checkpoint

#pragma once

#include <filesystem>
#include <string>

namespace toolkit::model_store {

/// ".gguf" of "A.GGUF": the ending in small letters.
std::string ending_of(const std::filesystem::path& path);

/// Weights by their ending: .safetensors .gguf .bin .pt .pth .npz .onnx .ckpt and their shards.
bool is_weight_file(const std::filesystem::path& path);

}  // namespace toolkit::model_store

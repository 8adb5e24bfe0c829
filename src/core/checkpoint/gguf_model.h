#pragma once

#include <filesystem>
#include <memory>

#include "core/checkpoint/model_files.h"

namespace toolkit::checkpoint {

/// A .gguf file as ModelFiles in Hugging Face's names and conventions; see open_model_files.
std::unique_ptr<ModelFiles> open_gguf_model(const std::filesystem::path& path);

}  // namespace toolkit::checkpoint

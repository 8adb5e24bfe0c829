#pragma once

#include <filesystem>
#include <memory>

#include "core/checkpoint/model_files.h"

namespace toolkit::checkpoint {

/// A Hugging Face folder as ModelFiles; see open_model_files.
std::unique_ptr<ModelFiles> open_hf_folder(const std::filesystem::path& folder);

}  // namespace toolkit::checkpoint

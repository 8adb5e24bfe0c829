#pragma once

#include <filesystem>
#include <string>

#include "core/model_store/inventory.h"
#include "core/model_store/metadata.h"

namespace toolkit::model_store {

/// <home>/models/<publisher>/<model>/<file>: exactly two levels, others are a note, not a model.
Inventory read_lm_studio(const std::filesystem::path& lm_studio_home);

/// Links the weights to <home>/models/<publisher>/<model>/ (hard link, clone, copy; a symlink shows
/// as 0 bytes there and its loss blocks the app). Returns the folder.
std::filesystem::path publish_to_lm_studio(const std::filesystem::path& lm_studio_home,
                                           const Metadata& metadata,
                                           const std::filesystem::path& model_folder);

}  // namespace toolkit::model_store

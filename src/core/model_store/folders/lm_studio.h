#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/model_store/inventory.h"
#include "core/model_store/metadata.h"
#include "core/model_store/publication.h"

namespace toolkit::model_store {

/// <home>/models, or the downloads folder that LM Studio's settings.json names.
std::filesystem::path lm_studio_models(const std::filesystem::path& lm_studio_home);

/// <models>/<publisher>/<model>/<file>: exactly two levels; weights at another level are listed
/// with the reason why LM Studio does not show them.
Inventory read_lm_studio(const std::filesystem::path& lm_studio_home);

/// Links the weights to <models>/<publisher>/<model>/ (hard link, clone, copy; a symlink shows as 0
/// bytes there and its loss blocks the app). Only what LM Studio can run: GGUF files, or all of a
/// model that is converted to MLX. What lies there already stays; what is made is noted in
/// <home>/.mlx-cache/. Returns the folder; empty if the model does not fit.
std::filesystem::path publish_to_lm_studio(const std::filesystem::path& lm_studio_home,
                                           const Metadata& metadata,
                                           const std::filesystem::path& model_folder);

/// What publish_to_lm_studio() made of a model and withdraw_from_lm_studio() would remove; empty
/// without a note. A folder with a file of somebody else is not listed as ours.
std::optional<Publication> published_in_lm_studio(const std::filesystem::path& lm_studio_home,
                                                  const Metadata& metadata,
                                                  const std::filesystem::path& model_folder);

/// Removes the names that publish_to_lm_studio() made: those it noted and whose inode is ours
/// still. Returns how many.
int withdraw_from_lm_studio(const std::filesystem::path& lm_studio_home, const Metadata& metadata,
                            const std::filesystem::path& model_folder);

}  // namespace toolkit::model_store

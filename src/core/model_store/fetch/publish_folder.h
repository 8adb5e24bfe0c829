#pragma once

#include <filesystem>
#include <string>

#include "core/model_store/layout.h"
#include "core/model_store/metadata.h"
#include "core/model_store/name.h"

namespace toolkit::model_store {

/// Where a model's folder is made before it is renamed into place: models/.<folder>.new.
std::filesystem::path folder_in_the_making(const Layout& layout, const ModelName& name);

/// True if the folder has every file of its .metadata.json as a regular file of that size.
bool is_complete_folder(const std::filesystem::path& folder);

/// Puts the folder in the making, which is complete, in the place of the model's folder (or of the
/// symlink that showed a found model): synced, renamed, the old one beside it until then, removed
/// after. Under lock_model. Throws Error(kIo).
void publish_folder(const Layout& layout, const ModelName& name);

/// After a process that died in between: afterwards the model's folder is the old or the new one
/// and nothing else of it is left. Under lock_model. True if something was there to do.
bool recover_folder(const Layout& layout, const ModelName& name);

}  // namespace toolkit::model_store

#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/model_store/fetch/fetch.h"
#include "core/model_store/inventory.h"

namespace toolkit::model_store {

/// Models below any folder: each folder with a config.json or weights is one; a .gguf alone is one.
Inventory read_plain_folder(const std::filesystem::path& root);

/// What `add file:///path` takes in: every file below a folder, or one .gguf. Digests are computed.
Offer make_local_offer(const std::filesystem::path& path,
                       const std::function<void(uint64_t done, uint64_t total)>& progress);

}  // namespace toolkit::model_store

#pragma once

#include <filesystem>

#include "core/model_store/inventory.h"

namespace toolkit::model_store {

/// Jan's <data>/models/llamacpp/<id>/model.yml names an absolute model_path (and mmproj_path):
/// those files are found; nothing of Jan's is ever written.
Inventory read_jan(const std::filesystem::path& jan_data);

}  // namespace toolkit::model_store

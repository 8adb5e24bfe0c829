#pragma once

#include <filesystem>
#include <string>

#include "core/model_store/inventory.h"

namespace toolkit::model_store {

/// Jan's <data>/models/llamacpp/<id>/model.yml (later builds: <data>/llamacpp/models/) names an
/// absolute model_path (and mmproj_path), or one below <data>: those files are found; nothing of
/// Jan's is ever written.
Inventory read_jan(const std::filesystem::path& jan_data);

/// The value of a top-level key of a flat YAML file, quotes taken off; empty if it is not there.
std::string flat_yaml_value(const std::string& text, const std::string& key);

}  // namespace toolkit::model_store

#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/json.h"

namespace toolkit::diagnose {

/// One thing that was looked at.
struct Finding {
  std::string what;  // "history database"
  bool is_good = true;
  std::string found, action;  // what was there; what to do when it is not good
};

/// Folders and settings of the suite, databases, disk space, memory, Ollama, mlx-cache. Changes
/// nothing.
std::vector<Finding> check_all();

/// A database's whole check: "" or what is wrong.
Finding check_database(const std::string& what, const std::filesystem::path& file);

Json to_json(const std::vector<Finding>& findings);

}  // namespace toolkit::diagnose

#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/model_store/registry/registry.h"

namespace toolkit::model_store {

/// A model that lies in its folder with all its files.
struct WholeModel {
  Metadata metadata;
  std::filesystem::path local_path;
  bool is_symlink = false;
};

struct PutReport {
  int added = 0, updated = 0;
  std::vector<std::string> problems;  // a name that stands there in other letters
};

/// Registry::put of many and the state "missing" for `gone`, in one transaction: all of it or
/// nothing.
PutReport put_models(Registry& registry, const std::vector<WholeModel>& models,
                     const std::vector<ModelName>& gone);

}  // namespace toolkit::model_store

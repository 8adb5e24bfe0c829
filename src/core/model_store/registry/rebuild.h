#pragma once

#include <string>
#include <vector>

#include "core/model_store/registry/registry.h"

namespace toolkit::model_store {

struct RebuildReport {
  int added = 0, updated = 0, gone = 0;
  std::vector<std::string> problems;  // folders without usable .metadata.json
};

/// Brings the tables to what lies on disk: every model folder with .metadata.json and all its files
/// becomes a row, rows whose folder is gone become state 'missing' (only when store_is_there()).
/// Apps and usage stay. Reads no weights.
RebuildReport rebuild(Registry& registry, const Layout& layout);

}  // namespace toolkit::model_store

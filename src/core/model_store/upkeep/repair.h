#pragma once

#include <string>
#include <vector>

#include "core/model_store/layout.h"
#include "core/model_store/registry/registry.h"

namespace toolkit::model_store {

struct RepairReport {
  std::vector<std::string> done;      // "rebuilt registry.db: 12 models", "finished journal ..."
  std::vector<std::string> problems;  // folders that are no whole model, left as they are
  std::vector<ModelName> to_fetch;    // damaged or missing: `add` brings them again
};

/// Puts the store itself right: a damaged registry.db is set aside and rebuilt, journals of dead
/// processes are finished, temporaries removed, dangling links dropped, half-published folders
/// completed or taken back. Touches only our store (and what interrupted journals left). With
/// `dry_run` it only says so. The caller holds the exclusive store lock.
RepairReport repair_store(const Layout& layout, bool dry_run);

}  // namespace toolkit::model_store

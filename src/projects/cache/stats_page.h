#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/model_store/inventory.h"
#include "core/model_store/sharing/disk_use.h"

namespace toolkit::cache {

/// The page of `stats`: each store with what it holds alone and together with others, and what
/// sharing saves; with `verbose` also what could not be read.
std::string to_page(const model_store::DiskUse& use,
                    const std::vector<model_store::Inventory>& inventories, bool verbose,
                    bool color);
/// What other programs of the suite read: keys are only ever added.
nlohmann::json to_json(const model_store::DiskUse& use,
                       const std::vector<model_store::Inventory>& inventories);

}  // namespace toolkit::cache

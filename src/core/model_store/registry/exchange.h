#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/model_store/registry/registry.h"

namespace toolkit::model_store {

/// The registry as one JSON object for another machine or a backup: names, revisions, files with
/// digests, apps, usage. No token, no query string.
nlohmann::json export_registry(Registry& registry);

struct ImportReport {
  int models_known = 0, apps = 0;
  std::vector<ModelName> to_add;  // named there, not in this store: what `import --add` fetches
};

/// Takes apps and usage over; models are only named in the report. Throws Error(kUserInput) before
/// anything is written when the text is not such an export. A dry run only reports.
ImportReport import_registry(Registry& registry, const std::string& text, const std::string& source,
                             bool dry_run);

}  // namespace toolkit::model_store

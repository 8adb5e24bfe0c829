#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "projects/finetune/prepare.h"

namespace toolkit::finetune {

/// What a run would hold in memory, for people.
std::string plan_page(const Prepared& run);

/// The same as the object of `--dry-run --json`: planned_bytes, planned_parts, asked_bytes (of the
/// settings as given), memory_limit_bytes, available_bytes, changes, settings (after the changes),
/// rows.
nlohmann::json plan_json(const Prepared& run);

/// {"weights": bytes, ...}
nlohmann::json parts_json(const engine::MemoryPlan& plan);
/// [{"setting", "from", "to", "why"}, ...]
nlohmann::json changes_json(const std::vector<SettingChange>& changes);

}  // namespace toolkit::finetune

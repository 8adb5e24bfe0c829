#include "projects/finetune/plan_page.h"

#include <fmt/format.h>

#include "core/base/json.h"
#include "core/files/disk_space.h"
#include "engine/measure/device_memory.h"

namespace toolkit::finetune {

namespace {

std::string shown(int64_t bytes) {
  return files::shown_bytes(static_cast<uint64_t>(bytes));
}

}  // namespace

std::string plan_page(const Prepared& run) {
  const engine::MemoryPlan& plan = run.memory.plan;
  std::string parts;
  for (const auto& [name, bytes] : plan.parts())
    if (bytes > 0) parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", name, shown(bytes));
  std::string page = fmt::format("Memory planned: {}   ({})\n", shown(plan.total()), parts);
  for (const SettingChange& change : run.memory.changes)
    page += fmt::format("  --{} {} instead of {}: {}\n", change.setting, change.to, change.from,
                        change.why);
  if (!run.memory.changes.empty())
    page += fmt::format("  as asked the run would need {}; the limit is {}\n",
                        shown(run.memory.asked.total()), run.config.memory_limit);
  return page;
}

nlohmann::json parts_json(const engine::MemoryPlan& plan) {
  Json parts = Json::object();
  for (const auto& [name, bytes] : plan.parts()) parts[name] = bytes;
  return parts;
}

nlohmann::json changes_json(const std::vector<SettingChange>& changes) {
  Json list = Json::array();
  for (const SettingChange& change : changes)
    list.push_back({{"setting", change.setting},
                    {"from", change.from},
                    {"to", change.to},
                    {"why", change.why}});
  return list;
}

nlohmann::json plan_json(const Prepared& run) {
  Config settings = run.config;
  Json json = {{"planned_bytes", run.memory.plan.total()},
               {"planned_parts", parts_json(run.memory.plan)},
               {"asked_bytes", run.memory.asked.total()},
               {"memory_limit_bytes", nullptr},
               {"available_bytes", engine::available_bytes()},
               {"compute", tensor::compute_name(run.memory.compute)},
               {"changes", changes_json(run.memory.changes)},
               {"settings", Json::parse(fields_to_json(describe(settings)))},
               {"train_rows", run.train.size()},
               {"valid_rows", run.valid.size()},
               {"notes", run.notes}};
  if (!run.config.memory_limit.empty())
    json["memory_limit_bytes"] = files::bytes_from_text(run.config.memory_limit, "--memory-limit");
  return json;
}

}  // namespace toolkit::finetune

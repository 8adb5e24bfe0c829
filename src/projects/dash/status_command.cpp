#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/monitor/cache_summary.h"
#include "core/monitor/poller.h"
#include "projects/dash/command.h"
#include "projects/dash/status_page.h"

namespace toolkit::dash {

namespace {

nlohmann::json cache_json(const monitor::CacheSummary& cache) {
  nlohmann::json json = {{"installed", cache.is_installed},
                         {"models", cache.models},
                         {"kept_bytes", cache.kept_bytes},
                         {"saved_bytes", nullptr}};
  if (cache.saved_bytes) json["saved_bytes"] = *cache.saved_bytes;
  return json;
}

nlohmann::json run(const cli::Context& context) {
  const monitor::Preferences preferences = monitor::load_preferences();
  const monitor::Snapshot snapshot =
      monitor::look_once(preferences, monitor::parts_of(preferences));
  const monitor::CacheSummary cache = monitor::read_cache_summary();
  if (!context.quiet)
    fmt::print("{}  {:<13}{}\n", to_page(snapshot, preferences, context.color), "mlx-cache",
               monitor::shown(cache));
  nlohmann::json result = monitor::to_json(snapshot);
  result["cache"] = cache_json(cache);
  return result;
}

}  // namespace

cli::Command status_command() {
  return {.name = "status",
          .summary = "one look: speed, models, memory, GPU, temperature, servers",
          .description = "Looks twice, a second apart, since a speed needs two looks.",
          .examples = {"mlx-dash status", "mlx-dash status --json"},
          .run = run};
}

}  // namespace toolkit::dash

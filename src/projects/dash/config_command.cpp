#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/paths.h"
#include "core/monitor/preferences.h"
#include "projects/dash/command.h"

namespace toolkit::dash {

namespace {

struct Settings {
  std::string key;
  std::vector<std::string> values;
};

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  if (!settings.key.empty() && settings.values.empty())
    fail(ErrorKind::kUserInput,
         "expected a value for {}; `mlx-dash config` shows what stands there", settings.key);
  if (!settings.key.empty()) monitor::save_preference(settings.key, settings.values);
  monitor::Preferences preferences = monitor::load_preferences();
  const Fields fields = monitor::describe(preferences);
  const auto values = nlohmann::json::parse(fields_to_json(fields));
  if (!context.quiet) {
    fmt::print("# section mlxdash of {}\n", shown_path(home_folder() / "config.yaml"));
    for (const auto& [key, value] : values.items()) fmt::print("{}: {}\n", key, value.dump());
  }
  return values;
}

}  // namespace

cli::Command config_command() {
  const auto settings = std::make_shared<Settings>();
  return {
      .name = "config",
      .summary = "show or change preferences",
      .examples = {"mlx-dash config", "mlx-dash config polling_interval 2000"},
      .fields = {{.name = "key", .target = &settings->key, .help = "which one", .positional = true},
                 {.name = "value",
                  .target = &settings->values,
                  .help = "its new value; several for a list",
                  .positional = true}},
      .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::dash

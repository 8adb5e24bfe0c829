#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "projects/cache/command.h"
#include "projects/cache/session.h"

namespace toolkit::cache {

namespace {

struct Settings {
  std::string key;
  std::vector<std::string> values;
};

nlohmann::json run(const Settings&, const cli::Context&) {
  fail(ErrorKind::kUnsupported, "config: not in this version yet");
}

}  // namespace

cli::Command config_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "config",
          .summary = "show or change settings",
          .examples = {"mlx-cache config", "mlx-cache config max_cache_size_gb 200",
                       "mlx-cache config folders ~/models ~/old-models"},
          .fields = {{.name = "key",
                      .target = &settings->key,
                      .help = "the setting to show or change",
                      .positional = true},
                     {.name = "values",
                      .target = &settings->values,
                      .help = "its new value, several for a list",
                      .positional = true}},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache

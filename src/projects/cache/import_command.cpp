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
  std::string file;
  bool add = false;
  Options options;
};

nlohmann::json run(const Settings&, const cli::Context&) {
  fail(ErrorKind::kUnsupported, "import: not in this version yet");
}

}  // namespace

cli::Command import_command() {
  const auto settings = std::make_shared<Settings>();
  return {
      .name = "import",
      .summary = "take over an exported registry: apps, usage, and which models to add",
      .examples = {"mlx-cache import models.json --dry-run", "mlx-cache import models.json --add"},
      .fields = {{.name = "file",
                  .target = &settings->file,
                  .help = "what export wrote",
                  .required = true,
                  .positional = true},
                 {.name = "add",
                  .target = &settings->add,
                  .help = "download the models that are missing here"},
                 dry_run_field(settings->options),
                 yes_field(settings->options)},
      .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache

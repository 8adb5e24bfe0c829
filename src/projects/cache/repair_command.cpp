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
  bool fetch = false;
  Options options;
};

nlohmann::json run(const Settings&, const cli::Context&) {
  fail(ErrorKind::kUnsupported, "repair: not in this version yet");
}

}  // namespace

cli::Command repair_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "repair",
          .summary = "put the store right after a crash: registry, journals, rests",
          .examples = {"mlx-cache repair --dry-run", "mlx-cache repair"},
          .fields = {{.name = "fetch",
                      .target = &settings->fetch,
                      .help = "download damaged and missing models again"},
                     dry_run_field(settings->options),
                     yes_field(settings->options),
                     verbose_field(settings->options)},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache

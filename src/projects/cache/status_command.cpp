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
  bool check = false;
  Options options;
};

nlohmann::json run(const Settings&, const cli::Context&) {
  fail(ErrorKind::kUnsupported, "status: not in this version yet");
}

}  // namespace

cli::Command status_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "status",
          .summary = "show all cached models and the apps that use them",
          .examples = {"mlx-cache status", "mlx-cache status --json"},
          .fields = {{.name = "check",
                      .target = &settings->check,
                      .help = "look whether every file is still there (no hashing)"},
                     verbose_field(settings->options)},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache

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
  std::string app;
  std::vector<std::string> models;
  Options options;
};

nlohmann::json run(const Settings&, const cli::Context&) {
  fail(ErrorKind::kUnsupported, "unlink: not in this version yet");
}

}  // namespace

cli::Command unlink_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "unlink",
          .summary = "unregister an app",
          .examples = {"mlx-cache unlink /Applications/MLXApp.app"},
          .fields = {{.name = "app-path",
                      .target = &settings->app,
                      .help = "folder or .app of the app",
                      .required = true,
                      .positional = true},
                     {.name = "model",
                      .target = &settings->models,
                      .help = "only this model (repeatable); without: the whole app"},
                     dry_run_field(settings->options)},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache

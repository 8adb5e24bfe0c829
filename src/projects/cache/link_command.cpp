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
  std::string app, name;
  std::vector<std::string> models;
  Options options;
};

nlohmann::json run(const Settings&, const cli::Context&) {
  fail(ErrorKind::kUnsupported, "link: not in this version yet");
}

}  // namespace

cli::Command link_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "link",
          .summary = "register an app, so that the cache knows what it uses",
          .description =
              "Looks into the app's folder for models it has; with --model it is noted as a user "
              "of models of the cache. Nothing that an app is linked to is ever removed.",
          .examples = {"mlx-cache link /Applications/MLXApp.app",
                       "mlx-cache link ~/code/chat --model hf://org/model"},
          .fields = {{.name = "app-path",
                      .target = &settings->app,
                      .help = "folder or .app of the app",
                      .required = true,
                      .positional = true},
                     {.name = "name",
                      .target = &settings->name,
                      .help = "name shown in status (default: from the app)"},
                     {.name = "model",
                      .target = &settings->models,
                      .help = "a model it uses (repeatable)"},
                     dry_run_field(settings->options)},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache

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
  std::string model;
  bool force = false;
  Options options;
};

nlohmann::json run(const Settings&, const cli::Context&) {
  fail(ErrorKind::kUnsupported, "remove: not in this version yet");
}

}  // namespace

cli::Command remove_command() {
  const auto settings = std::make_shared<Settings>();
  return {
      .name = "remove",
      .summary = "remove a model that no app uses",
      .examples = {"mlx-cache remove hf://org/model", "mlx-cache remove org/model --dry-run"},
      .fields =
          {{.name = "model",
            .target = &settings->model,
            .help = "hf://org/model, ollama://name:tag, file:///path or a name that `status` shows",
            .required = true,
            .positional = true},
           {.name = "force", .target = &settings->force, .help = "also when apps are linked to it"},
           dry_run_field(settings->options),
           yes_field(settings->options)},
      .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache

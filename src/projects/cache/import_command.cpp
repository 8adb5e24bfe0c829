#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "core/base/atomic_file.h"
#include "core/base/paths.h"
#include "core/model_store/registry/exchange.h"
#include "projects/cache/add_again.h"
#include "projects/cache/command.h"
#include "projects/cache/page.h"
#include "projects/cache/session.h"

namespace toolkit::cache {

namespace {

struct Settings {
  std::string file;
  bool add = false;
  Options options;
};

constexpr size_t kFileBytes = 256 << 20;

model_store::ImportReport import(const Settings& settings, const cli::Context& context) {
  const auto path = expanded_path(settings.file);
  const std::string text = read_file(path, kFileBytes);
  const bool dry_run = settings.options.dry_run;
  Session session(dry_run ? Session::Use::kRead : Session::Use::kDecide, "import", context);
  return model_store::import_registry(session.registry(), text, path.string(), dry_run);
}

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  const model_store::ImportReport report = import(settings, context);
  nlohmann::json to_add = nlohmann::json::array();
  for (const auto& name : report.to_add) to_add.push_back(name.uri());
  if (!context.quiet) {
    fmt::print("{}{} taken over; {} of its models are here, {} not.\n",
               settings.options.dry_run ? "Would be done: " : "",
               counted(static_cast<uint64_t>(report.apps), "app"), report.models_known,
               report.to_add.size());
    for (const auto& name : report.to_add) fmt::print("  mlx-cache add {}\n", name.uri());
  }
  // After the store's lock was let go of: `add` takes it.
  if (settings.add && !settings.options.dry_run) add_again(report.to_add, context);
  return {{"apps", report.apps},
          {"models_known", report.models_known},
          {"to_add", to_add},
          {"dry_run", settings.options.dry_run}};
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

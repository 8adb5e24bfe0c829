#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "core/base/atomic_file.h"
#include "core/base/paths.h"
#include "core/model_store/registry/exchange.h"
#include "projects/cache/command.h"
#include "projects/cache/session.h"

namespace toolkit::cache {

namespace {

struct Settings {
  std::string output;
  Options options;
};

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  Session session(Session::Use::kRead, "export", context);
  nlohmann::json exported = model_store::export_registry(session.registry());
  if (settings.output.empty()) {
    if (!context.json) fmt::print("{}\n", exported.dump(1));
    return exported;
  }
  const auto path = expanded_path(settings.output);
  const bool dry_run = settings.options.dry_run;
  if (!dry_run) write_file_atomically(path, exported.dump(1) + "\n");
  if (!context.quiet)
    fmt::print("{}{}: {} models, {} apps\n", dry_run ? "Would be written: " : "", shown_path(path),
               exported["models"].size(), exported["apps"].size());
  return {{"file", path.string()},
          {"dry_run", dry_run},
          {"models", exported["models"].size()},
          {"apps", exported["apps"].size()}};
}

}  // namespace

cli::Command export_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "export",
          .summary = "write the registry as one JSON file",
          .examples = {"mlx-cache export > models.json", "mlx-cache export --output models.json"},
          .fields = {{.name = "output",
                      .target = &settings->output,
                      .help = "file to write (default: stdout)",
                      .short_name = "o"},
                     dry_run_field(settings->options)},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache

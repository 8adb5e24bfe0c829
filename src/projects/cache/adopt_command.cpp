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
  std::string folder, link = "auto";
  bool undo = false;
  Options options;
};

nlohmann::json run(const Settings&, const cli::Context&) {
  fail(ErrorKind::kUnsupported, "adopt: not in this version yet");
}

}  // namespace

cli::Command adopt_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "adopt",
          .summary = "replace duplicates below a folder by links into the cache",
          .examples = {"mlx-cache adopt ~/models --dry-run", "mlx-cache adopt ~/models",
                       "mlx-cache adopt ~/models --undo"},
          .fields = {{.name = "folder",
                      .target = &settings->folder,
                      .help = "folder with models",
                      .required = true,
                      .positional = true},
                     {.name = "undo",
                      .target = &settings->undo,
                      .help = "give every file that was replaced there its own copy again"},
                     {.name = "link",
                      .target = &settings->link,
                      .help = "how duplicates are shared",
                      .choices = {"auto", "hard_link", "clone"}},
                     dry_run_field(settings->options),
                     yes_field(settings->options),
                     verbose_field(settings->options)},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache

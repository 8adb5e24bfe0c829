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
  std::string output;
};

nlohmann::json run(const Settings&, const cli::Context&) {
  fail(ErrorKind::kUnsupported, "export: not in this version yet");
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
                      .short_name = "o"}},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache

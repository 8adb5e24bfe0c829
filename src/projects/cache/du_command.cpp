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
  bool files = false;
};

nlohmann::json run(const Settings&, const cli::Context&) {
  fail(ErrorKind::kUnsupported, "du: not in this version yet");
}

}  // namespace

cli::Command du_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "du",
          .summary = "list disk use per model and store, every file counted once",
          .examples = {"mlx-cache du", "mlx-cache du --files"},
          .fields = {{.name = "files",
                      .target = &settings->files,
                      .help = "every file, largest first"}},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache

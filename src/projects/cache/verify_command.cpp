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
  std::vector<std::string> models;
  Options options;
};

nlohmann::json run(const Settings&, const cli::Context&) {
  fail(ErrorKind::kUnsupported, "verify: not in this version yet");
}

}  // namespace

cli::Command verify_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "verify",
          .summary = "read every file again and compare it with its hash",
          .examples = {"mlx-cache verify", "mlx-cache verify hf://org/model"},
          .fields = {{.name = "models",
                      .target = &settings->models,
                      .help = "only these; without: all",
                      .positional = true},
                     verbose_field(settings->options)},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache

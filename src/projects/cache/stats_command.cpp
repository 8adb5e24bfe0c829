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
  Options options;
};

nlohmann::json run(const Settings&, const cli::Context&) {
  fail(ErrorKind::kUnsupported, "stats: not in this version yet");
}

}  // namespace

cli::Command stats_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "stats",
          .summary = "report disk use and what sharing saves",
          .description =
              "Counts every file once by inode, over the cache, the Hugging Face cache, Ollama, LM "
              "Studio and linked folders.",
          .examples = {"mlx-cache stats", "mlx-cache stats --json"},
          .fields = {verbose_field(settings->options)},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache

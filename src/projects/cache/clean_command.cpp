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
  int older_than_days = -1;
  double max_size_gb = -1;
  Options options;
};

nlohmann::json run(const Settings&, const cli::Context&) {
  fail(ErrorKind::kUnsupported, "clean: not in this version yet");
}

}  // namespace

cli::Command clean_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "clean",
          .summary = "remove what no app uses, after a preview",
          .description =
              "Models with no app that were not used for a while, the longest unused above the "
              "size limit, rests of downloads nobody resumes. Shows the list and asks; nothing "
              "that is linked is ever in it.",
          .examples = {"mlx-cache clean --dry-run", "mlx-cache clean --older-than-days 90 --yes"},
          .fields = {{.name = "older-than-days",
                      .target = &settings->older_than_days,
                      .help = "unused for so many days (-1: clean_after_days of config)",
                      .minimum = -1},
                     {.name = "max-size-gb",
                      .target = &settings->max_size_gb,
                      .help = "size the cache may keep (-1: max_cache_size_gb of config)",
                      .minimum = -1},
                     dry_run_field(settings->options),
                     yes_field(settings->options),
                     verbose_field(settings->options)},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache

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
  bool undo = false, dedup = true;
  std::string link = "auto";
  Options options;
};

nlohmann::json run(const Settings&, const cli::Context&) {
  fail(ErrorKind::kUnsupported, "sync: not in this version yet");
}

}  // namespace

cli::Command sync_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "sync",
          .summary =
              "find models in Ollama, Hugging Face, LM Studio and apps, and leave one copy of each",
          .description =
              "Equal content (sha256) becomes one file by hard link or clone, as the file system "
              "allows; says which and why. Every replacement is journaled: --undo takes the last "
              "sync back.",
          .examples = {"mlx-cache sync --dry-run", "mlx-cache sync", "mlx-cache sync --undo"},
          .fields = {{.name = "undo",
                      .target = &settings->undo,
                      .help = "give every file replaced by the last sync its own copy again"},
                     {.name = "dedup",
                      .target = &settings->dedup,
                      .help = "only register what is found, replace nothing"},
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

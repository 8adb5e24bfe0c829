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
  std::string model, revision, app;
  std::vector<std::string> allow, ignore;
  bool publish = true;
  int files_at_once = 4, ranges = 4;
  double limit_mb_s = 0;
  Options options;
};

nlohmann::json run(const Settings&, const cli::Context&) {
  fail(ErrorKind::kUnsupported, "add: not in this version yet");
}

}  // namespace

cli::Command add_command() {
  const auto settings = std::make_shared<Settings>();
  return {
      .name = "add",
      .summary = "download a model once and make it usable everywhere",
      .description =
          "Fetches what is not on this machine yet (several files and ranges at once, resumed "
          "where a stop left them, every file compared with its published hash), keeps it in the "
          "cache and shows it to huggingface_hub, Ollama and LM Studio without a second copy.",
      .examples = {"mlx-cache add hf://HuggingFaceTB/SmolLM2-135M-Instruct",
                   "mlx-cache add hf://org/model@v1.0 --allow '*.safetensors' --allow '*.json'",
                   "mlx-cache add ollama://llama3.2:1b",
                   "mlx-cache add file:///home/ann/models/custom"},
      .fields = {{.name = "model",
                  .target = &settings->model,
                  .help = "hf://org/model[@revision], ollama://name:tag or file:///path",
                  .required = true,
                  .positional = true},
                 {.name = "revision",
                  .target = &settings->revision,
                  .help = "branch, tag or commit of an hf:// model"},
                 {.name = "allow",
                  .target = &settings->allow,
                  .help = "only files that match a pattern (repeatable)"},
                 {.name = "ignore",
                  .target = &settings->ignore,
                  .help = "no files that match a pattern (repeatable)"},
                 {.name = "publish",
                  .target = &settings->publish,
                  .help = "keep it in the cache only, show it to no other program"},
                 {.name = "app",
                  .target = &settings->app,
                  .help = "folder of the app that will use it (see link)"},
                 {.name = "files-at-once",
                  .target = &settings->files_at_once,
                  .help = "files fetched at the same time",
                  .group = "Transfer",
                  .minimum = 1,
                  .maximum = 16},
                 {.name = "ranges",
                  .target = &settings->ranges,
                  .help = "ranges of one large file at the same time",
                  .group = "Transfer",
                  .minimum = 1,
                  .maximum = 16},
                 {.name = "limit-mb-s",
                  .target = &settings->limit_mb_s,
                  .help = "megabytes per second at most; 0: as fast as it goes",
                  .group = "Transfer",
                  .minimum = 0},
                 dry_run_field(settings->options),
                 verbose_field(settings->options)},
      .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache

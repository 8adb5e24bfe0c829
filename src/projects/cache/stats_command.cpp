#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "core/model_store/sharing/disk_use.h"
#include "projects/cache/command.h"
#include "projects/cache/session.h"
#include "projects/cache/stats_page.h"
#include "projects/cache/stores.h"

namespace toolkit::cache {

namespace {

struct Settings {
  Options options;
};

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  Session session(Session::Use::kRead, "stats", context);
  const auto inventories = read_stores(session);
  const model_store::DiskUse use =
      model_store::measure_disk_use(inventories, session.registry().cloned_bytes());
  if (!context.quiet)
    fmt::print("{}", to_page(use, inventories, settings.options.verbose, context.color));
  return to_json(use, inventories);
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

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "core/model_store/upkeep/verify.h"
#include "core/model_store/utc_time.h"
#include "projects/cache/command.h"
#include "projects/cache/session.h"
#include "projects/cache/status_page.h"

namespace toolkit::cache {

namespace {

struct Settings {
  bool check = false;
  Options options;
};

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  Session session(Session::Use::kRead, "status", context);
  Status status{.layout = session.layout(),
                .present = model_store::store_is_there(session.layout()),
                .limit_bytes = session.settings().max_cache_size_gb * 1e9};
  if (settings.check && status.present) {
    status.checked = true;
    status.faults = model_store::verify_models(session.registry(), session.layout(), {},
                                               model_store::VerifyDepth::kSizes, {})
                        .faults;
  }
  status.models = session.registry().models();
  status.apps = session.registry().apps();
  if (!context.quiet)
    fmt::print("{}",
               to_page(status, model_store::now_s(), settings.options.verbose, context.color));
  return to_json(status);
}

}  // namespace

cli::Command status_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "status",
          .summary = "show all cached models and the apps that use them",
          .examples = {"mlx-cache status", "mlx-cache status --json"},
          .fields = {{.name = "check",
                      .target = &settings->check,
                      .help = "look whether every file is still there (no hashing)"},
                     verbose_field(settings->options)},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache

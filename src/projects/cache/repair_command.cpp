#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/files/safe_path.h"
#include "core/model_store/upkeep/repair.h"
#include "projects/cache/add_again.h"
#include "projects/cache/command.h"
#include "projects/cache/page.h"
#include "projects/cache/rests.h"
#include "projects/cache/session.h"

namespace toolkit::cache {

namespace {

struct Settings {
  bool fetch = false;
  Options options;
};

void print_report(const model_store::RepairReport& report, bool dry_run, bool color) {
  Page page(color);
  if (report.done.empty()) page.line("Nothing to repair.", Tone::kGood);
  for (const std::string& line : report.done)
    page.line((dry_run ? "would be done: " : "") + files::escaped(line));
  for (const std::string& line : report.problems)
    page.line("left as it is: " + files::escaped(line), Tone::kWarning);
  for (const auto& name : report.to_fetch)
    page.line(fmt::format("not whole: {}; `mlx-cache add {}` or --fetch brings it", name.uri(),
                          name.uri()),
              Tone::kWarning);
  fmt::print("{}", page.text());
}

model_store::RepairReport repair(const Settings& settings, const cli::Context& context) {
  const bool dry_run = settings.options.dry_run;
  // Its registry is not opened here: it may be what is broken.
  const Session session(dry_run ? Session::Use::kRead : Session::Use::kDecide, "repair", context);
  model_store::RepairReport report = model_store::repair_store(session.layout(), dry_run);
  const auto rests = find_rests(session.environment());
  for (const auto& rest : rests)
    report.done.push_back("removed " + rest.string() + ": left by a process that was ended");
  if (!dry_run) remove_rests(rests);
  return report;
}

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  const model_store::RepairReport report = repair(settings, context);
  if (!context.quiet) print_report(report, settings.options.dry_run, context.color);
  nlohmann::json to_fetch = nlohmann::json::array();
  for (const auto& name : report.to_fetch) to_fetch.push_back(name.uri());
  // After the store's lock was let go of: `add` takes it.
  if (settings.fetch && !settings.options.dry_run) add_again(report.to_fetch, context);
  return {{"done", report.done},
          {"problems", report.problems},
          {"to_fetch", to_fetch},
          {"dry_run", settings.options.dry_run}};
}

}  // namespace

cli::Command repair_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "repair",
          .summary = "put the store right after a crash: registry, journals, rests",
          .examples = {"mlx-cache repair --dry-run", "mlx-cache repair"},
          .fields = {{.name = "fetch",
                      .target = &settings->fetch,
                      .help = "download damaged and missing models again"},
                     dry_run_field(settings->options),
                     yes_field(settings->options),
                     verbose_field(settings->options)},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache

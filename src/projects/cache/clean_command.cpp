#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/files/disk_space.h"
#include "core/files/safe_path.h"
#include "core/model_store/registry/rebuild.h"
#include "core/model_store/upkeep/clean.h"
#include "core/model_store/utc_time.h"
#include "projects/cache/command.h"
#include "projects/cache/page.h"
#include "projects/cache/publish.h"
#include "projects/cache/rests.h"
#include "projects/cache/session.h"
#include "projects/cache/stores.h"

namespace toolkit::cache {

namespace {

struct Settings {
  int older_than_days = -1;
  double max_size_gb = -1;
  Options options;
};

using model_store::CleanItem;
using model_store::CleanPlan;

const char* what_name(CleanItem::What what) {
  constexpr const char* kNames[] = {"model", "download", "temporary", "dead link", "journal"};
  return kNames[static_cast<int>(what)];
}

void print_plan(const CleanPlan& plan, bool verbose, bool color) {
  Page page(color);
  report::Table table{.header = {"What", "Name", "Size", "Frees", "Why"}};
  for (const CleanItem& item : plan.items)
    table.rows.push_back({what_name(item.what), files::escaped(item.label),
                          files::shown_bytes(item.size_bytes), files::shown_bytes(item.freed_bytes),
                          item.reason});
  if (plan.items.empty())
    page.line("Nothing to clean.", Tone::kGood);
  else
    page.table(table);
  if (verbose && !plan.kept.empty()) {
    page.heading("Kept");
    for (const std::string& line : plan.kept) page.line("  " + files::escaped(line));
  } else if (!plan.kept.empty()) {
    page.gap();
    page.line(counted(plan.kept.size(), "model") + " kept; --verbose says why.");
  }
  fmt::print("{}", page.text());
}

nlohmann::json to_json(const CleanPlan& plan, uint64_t freed, bool dry_run) {
  nlohmann::json items = nlohmann::json::array();
  for (const CleanItem& item : plan.items)
    items.push_back({{"what", what_name(item.what)},
                     {"name", item.label},
                     {"path", item.path.string()},
                     {"size_bytes", item.size_bytes},
                     {"freed_bytes", item.freed_bytes},
                     {"reason", item.reason}});
  return {{"items", items},
          {"kept", plan.kept},
          {"freed_bytes", freed},
          {"size_after_bytes", plan.size_after_bytes},
          {"dry_run", dry_run}};
}

/// Every store but ours, with what could not be read.
std::vector<model_store::Inventory> other_stores(Session& session) {
  std::vector<model_store::Inventory> others;
  for (auto& inventory : read_stores(session))
    if (inventory.place != model_store::Place::kCache) others.push_back(std::move(inventory));
  return others;
}

/// Models go from the stores of the programs they were shown to before they go from ours.
void withdraw_models(Session& session, const CleanPlan& plan) {
  for (const CleanItem& item : plan.items) {
    if (item.what != CleanItem::What::kModel) continue;
    const auto model = session.registry().find(model_store::parse_model_name(item.label));
    if (model) withdraw_everywhere(session, *model);
  }
}

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  const bool dry_run = settings.options.dry_run;
  Session session(dry_run ? Session::Use::kRead : Session::Use::kDecide, "clean", context);
  if (!dry_run) model_store::rebuild(session.registry(), session.layout());
  model_store::Settings rules = session.settings();
  if (settings.older_than_days >= 0) rules.clean_after_days = settings.older_than_days;
  if (settings.max_size_gb >= 0) rules.max_cache_size_gb = settings.max_size_gb;
  const CleanPlan plan = model_store::plan_clean(session.registry(), session.layout(), rules,
                                                 other_stores(session), model_store::now_s());
  if (!context.quiet) print_plan(plan, settings.options.verbose, context.color);
  // Never looked at by anyone: no question is asked for them.
  if (!dry_run) remove_rests(find_rests(session.environment()));
  if (dry_run || plan.items.empty()) return to_json(plan, plan.freed_bytes, dry_run);
  confirm(fmt::format("Remove {} ({})?", counted(plan.items.size(), "item"),
                      files::shown_bytes(plan.freed_bytes)),
          settings.options, context);
  withdraw_models(session, plan);
  const uint64_t freed = model_store::apply_clean(session.registry(), session.layout(), plan);
  if (!context.quiet) fmt::print("{} freed.\n", files::shown_bytes(freed));
  return to_json(plan, freed, dry_run);
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

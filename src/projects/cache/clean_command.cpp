#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/files/disk_space.h"
#include "core/files/safe_path.h"
#include "core/model_store/registry/rebuild.h"
#include "projects/cache/clean_models.h"
#include "projects/cache/command.h"
#include "projects/cache/page.h"
#include "projects/cache/rests.h"
#include "projects/cache/session.h"

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

void print_plan(const CleanPlan& plan, double limit_gb, bool verbose, bool color) {
  Page page(color);
  report::Table table{.header = {"What", "Name", "Size", "Frees", "Why"}};
  std::string also;
  for (const CleanItem& item : plan.items) {
    table.rows.push_back({what_name(item.what), files::escaped(item.label),
                          files::shown_bytes(item.size_bytes), files::shown_bytes(item.freed_bytes),
                          item.reason});
    if (const std::string from = also_taken_from(item); !from.empty())
      also += fmt::format("  {}: {}\n", files::escaped(item.label), from);
  }
  if (plan.items.empty())
    page.line("Nothing to clean.", Tone::kGood);
  else
    page.table(table);
  if (!also.empty()) {
    page.heading("Also taken from");
    page.line(also.substr(0, also.size() - 1));
  }
  if (verbose && !plan.kept.empty()) {
    page.heading("Kept");
    for (const std::string& line : plan.kept) page.line("  " + files::escaped(line));
  } else if (!plan.kept.empty()) {
    page.gap();
    page.line(counted(plan.kept.size(), "model") + " kept; --verbose says why.");
  }
  if (const std::string line = stays_above(plan, limit_gb); !line.empty())
    page.line(line, Tone::kWarning);
  fmt::print("{}", page.text());
}

nlohmann::json to_json(const CleanPlan& plan, uint64_t freed, bool dry_run) {
  nlohmann::json items = nlohmann::json::array();
  for (const CleanItem& item : plan.items) {
    nlohmann::json also = nlohmann::json::array();
    for (const auto& publication : item.publications)
      if (!publication.listing.empty())
        also.push_back({{"program", place_name(publication.place)}, {"name", publication.name}});
    items.push_back({{"what", what_name(item.what)},
                     {"name", item.label},
                     {"path", item.path.string()},
                     {"size_bytes", item.size_bytes},
                     {"freed_bytes", item.freed_bytes},
                     {"also_taken_from", also},
                     {"reason", item.reason}});
  }
  return {{"items", items},
          {"kept", plan.kept},
          {"freed_bytes", freed},
          {"size_after_bytes", plan.size_after_bytes},
          {"dry_run", dry_run}};
}

/// The answer may have come hours later: what came into use since stays.
void keep_what_is_used_now(CleanPlan& plan, const CleanPlan& now) {
  std::erase_if(plan.items, [&](const CleanItem& item) {
    return std::none_of(now.items.begin(), now.items.end(), [&](const CleanItem& still) {
      return still.path == item.path && still.what == item.what;
    });
  });
}

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  const bool dry_run = settings.options.dry_run;
  Session session(dry_run ? Session::Use::kRead : Session::Use::kDecide, "clean", context);
  if (!dry_run) model_store::rebuild(session.registry(), session.layout());
  model_store::Settings rules = session.settings();
  if (settings.older_than_days >= 0) rules.clean_after_days = settings.older_than_days;
  if (settings.max_size_gb >= 0) rules.max_cache_size_gb = settings.max_size_gb;
  CleanPlan plan = plan_clean(session, rules);
  if (!context.quiet)
    print_plan(plan, rules.max_cache_size_gb, settings.options.verbose, context.color);
  // Never looked at by anyone: no question is asked for them.
  if (!dry_run) remove_rests(find_rests(session.environment()));
  if (dry_run || plan.items.empty()) return to_json(plan, plan.freed_bytes, dry_run);
  confirm(fmt::format("Remove {} ({})?", counted(plan.items.size(), "item"),
                      files::shown_bytes(plan.freed_bytes)),
          settings.options, context);
  if (!settings.options.yes) keep_what_is_used_now(plan, plan_clean(session, rules));
  const uint64_t freed = apply_clean(session, plan);
  if (!context.quiet) fmt::print("{} freed.\n", files::shown_bytes(freed));
  return to_json(plan, freed, dry_run);
}

}  // namespace

cli::Command clean_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "clean",
          .summary = "remove what no app uses, after a preview",
          .description =
              "Models with no app that nobody used or read for a while, the longest unused above "
              "the size limit, rests of downloads nobody resumes. What `add` showed to Hugging "
              "Face, Ollama or LM Studio is taken from there as well; what they list by a name of "
              "their own stays. Shows the list and asks; nothing that is linked is ever in it.",
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

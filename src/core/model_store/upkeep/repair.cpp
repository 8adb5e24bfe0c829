#include "core/model_store/upkeep/repair.h"

#include "core/base/error.h"
#include "core/files/replace_journal.h"
#include "core/model_store/registry/rebuild.h"
#include "core/model_store/upkeep/half_published.h"
#include "core/model_store/upkeep/leftovers.h"
#include "core/model_store/upkeep/removal.h"
#include "core/model_store/utc_time.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

/// Why the registry cannot be used, or "".
std::string registry_damage(const Layout& layout) {
  std::error_code error;
  if (!fs::exists(layout.registry(), error)) return "";
  try {
    return store::Database::open(layout.registry(), store::OpenMode::kReadOnly).damage();
  } catch (const store::DamagedDatabase& damaged) {
    return damaged.what();
  }
}

/// Out of the way, not away: a person may want to look. Its journal belongs to it.
void set_registry_aside(const Layout& layout) {
  std::string stamp = utc_text(now_s());
  std::erase(stamp, ':');
  const fs::path aside = layout.registry().string() + ".damaged-" + stamp;
  fs::rename(layout.registry(), aside);
  const fs::path journal = layout.registry().string() + "-journal";
  std::error_code error;
  if (fs::exists(journal, error)) fs::rename(journal, aside.string() + "-journal");
}

void drop_dangling(Registry& registry, const Layout& layout, bool dry_run, RepairReport& report) {
  for (const ModelRecord& model : registry.models()) {
    if (!model.is_symlink || !dangles(layout.model_folder(model.name))) continue;
    report.done.push_back("dropped " + model.name.uri() + ": the model it led to is gone");
    if (!dry_run) remove_model(registry, layout, model.name, /*force=*/true);
  }
}

/// Nobody else is at work here (the store's lock is exclusive), so age does not matter; downloads
/// are kept for their next call.
void remove_leftovers(const Layout& layout, bool dry_run, RepairReport& report) {
  const int64_t now = now_s();
  for (const CleanItem& item : find_leftovers(layout, now, /*grace_s=*/-1)) {
    if (item.path.parent_path() == layout.incoming() || item.what == CleanItem::What::kJournal)
      continue;
    report.done.push_back("removed " + item.label + ": " + item.reason);
    if (!dry_run) remove_leftover(layout, item, now, /*grace_s=*/-1);
  }
}

void finish_journals(const Layout& layout, bool dry_run, RepairReport& report) {
  int open = 0;
  if (dry_run) {
    for (const files::JournalSummary& journal : files::list_journals(layout.journal()))
      open += journal.finished ? 0 : 1;
  } else {
    open = files::recover_journals(layout.journal());
  }
  if (open > 0) report.done.push_back(fmt::format("finished {} interrupted journal(s)", open));
}

void report_rebuild(const RebuildReport& rebuilt, RepairReport& report) {
  if (rebuilt.added + rebuilt.updated + rebuilt.gone > 0)
    report.done.push_back(
        fmt::format("registry: {} models added, {} brought up to date, {} missing", rebuilt.added,
                    rebuilt.updated, rebuilt.gone));
  report.problems = rebuilt.problems;
}

/// The registry after the damaged one was set aside; in a dry run what it would be.
Registry usable_registry(const Layout& layout, bool dry_run, RepairReport& report) {
  const std::string damage = registry_damage(layout);
  if (!damage.empty()) {
    report.done.push_back("set registry.db aside: " + damage);
    if (!dry_run) set_registry_aside(layout);
  }
  std::error_code error;
  const bool usable = damage.empty() && fs::exists(layout.registry(), error);
  if (!dry_run) return Registry::open(layout, store::OpenMode::kReadWrite);
  return usable ? Registry::open(layout, store::OpenMode::kReadOnly) : Registry::in_memory();
}

}  // namespace

RepairReport repair_store(const Layout& layout, bool dry_run) {
  if (!store_is_there(layout))
    fail(ErrorKind::kNotFound,
         "{}: there is no model cache (is its volume mounted?); nothing was changed",
         layout.root.string());
  RepairReport report;
  report.done = finish_half_published(layout, dry_run);
  finish_journals(layout, dry_run, report);
  remove_leftovers(layout, dry_run, report);
  Registry registry = usable_registry(layout, dry_run, report);
  drop_dangling(registry, layout, dry_run, report);
  if (!registry.database().read_only()) report_rebuild(rebuild(registry, layout), report);
  for (const ModelRecord& model : registry.models())
    if (model.state != "ready" && !model.is_symlink) report.to_fetch.push_back(model.name);
  return report;
}

}  // namespace toolkit::model_store

#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/paths.h"
#include "core/files/safe_path.h"
#include "core/report/table.h"
#include "projects/cache/command.h"
#include "projects/cache/found_models.h"
#include "projects/cache/session.h"
#include "projects/cache/share_duplicates.h"
#include "projects/cache/sharing_command_text.h"
#include "projects/cache/stores.h"

namespace toolkit::cache {

namespace {

constexpr const char* kJournalTitle = "sync";
constexpr std::array kWhat = {"shown", "known", "skipped", "gone"};  // FoundModel::What

struct Settings {
  bool undo = false, dedup = true;
  std::string link = "auto";
  Options options;
};

nlohmann::json undo(const Settings& settings, const cli::Context& context) {
  Session session(Session::Use::kAdd, "sync --undo", context);
  confirm("Give every file that the last sync replaced its own copy again?", settings.options,
          context);
  const auto report = undo_sharing(
      session, [](const std::string& title) { return title == kJournalTitle; }, true, context);
  if (!context.quiet && !context.json) print_undo(report);
  return undo_to_json(report);
}

nlohmann::json stores_to_json(const std::vector<model_store::Inventory>& inventories) {
  nlohmann::json stores = nlohmann::json::array();
  for (const auto& inventory : inventories)
    if (inventory.present)
      stores.push_back({{"store", place_name(inventory.place)},
                        {"path", files::escaped(inventory.root.string())},
                        {"models", inventory.models.size()},
                        {"problems", inventory.problems}});
  return stores;
}

nlohmann::json found_to_json(const std::vector<FoundModel>& found) {
  nlohmann::json list = nlohmann::json::array();
  for (const FoundModel& model : found)
    list.push_back({{"model", model.uri},
                    {"store", model.program},
                    {"what", kWhat[static_cast<size_t>(model.what)]},
                    {"reason", model.reason}});
  return list;
}

void print_found(const std::vector<model_store::Inventory>& inventories,
                 const std::vector<FoundModel>& found, const Options& options) {
  report::Table table{.header = {"store", "models", "folder"}};
  for (const auto& inventory : inventories)
    if (inventory.present)
      table.rows.push_back({place_name(inventory.place), std::to_string(inventory.models.size()),
                            files::escaped(shown_path(inventory.root))});
  fmt::print("{}", report::to_text(table));
  for (const auto& inventory : inventories)
    for (const std::string& problem : inventory.problems) fmt::print("warning: {}\n", problem);
  for (const FoundModel& model : found)
    if (options.verbose || model.what != FoundModel::What::kKnown)
      fmt::print("{}{}  {} ({}){}{}\n", options.dry_run ? "would be " : "",
                 kWhat[static_cast<size_t>(model.what)], files::escaped(model.uri), model.program,
                 model.reason.empty() ? "" : ": ", files::escaped(model.reason));
}

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  if (settings.undo) return undo(settings, context);
  const bool print = !context.quiet && !context.json;
  const Options& options = settings.options;
  // A preview changes nothing but what is remembered of contents.
  const bool there = model_store::store_is_there(model_store::default_layout());
  const Session::Use look = there ? Session::Use::kNote : Session::Use::kRead;
  Session session(options.dry_run ? look : Session::Use::kAdd, "sync", context);
  const auto inventories = read_stores(session);
  const auto found = show_found_models(session, inventories, options.dry_run);
  if (print) print_found(inventories, found, options);
  nlohmann::json result;
  if (settings.dedup) {
    const SharingResult shared = share_duplicates(
        session, inventories, {.title = kJournalTitle, .link = settings.link, .options = options},
        context);
    if (print) print_sharing(shared, options, "mlx-cache sync --undo");
    result = sharing_to_json(shared);
  }
  result["stores"] = stores_to_json(inventories);
  result["found"] = found_to_json(found);
  result["dry_run"] = options.dry_run;
  return result;
}

}  // namespace

cli::Command sync_command() {
  const auto settings = std::make_shared<Settings>();
  return {
      .name = "sync",
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
                  .help = "make one file of equal ones; --no-dedup only registers what is found"},
                 link_field(settings->link),
                 dry_run_field(settings->options),
                 yes_field(settings->options),
                 verbose_field(settings->options)},
      .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache

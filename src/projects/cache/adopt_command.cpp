#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/paths.h"
#include "core/files/safe_path.h"
#include "core/model_store/folders/plain_folder.h"
#include "projects/cache/command.h"
#include "projects/cache/session.h"
#include "projects/cache/share_duplicates.h"
#include "projects/cache/sharing_command_text.h"
#include "projects/cache/stores.h"

namespace toolkit::cache {

namespace fs = std::filesystem;

namespace {

struct Settings {
  std::string folder, link = "auto";
  bool undo = false;
  Options options;
};

bool lies_below(const fs::path& path, const fs::path& folder) {
  const fs::path relative = path.lexically_relative(folder);
  return !relative.empty() && *relative.begin() != "..";
}

/// Every store serves as a source; only what lies below the folder may be replaced.
std::vector<model_store::Inventory> stores_with_folder(Session& session, const fs::path& folder) {
  std::vector<model_store::Inventory> inventories = read_stores(session);
  for (model_store::Inventory& inventory : inventories)
    for (model_store::StoredModel& model : inventory.models)
      for (model_store::StoredFile& file : model.files)
        if (!lies_below(file.path, folder)) file.policy.clear();
  model_store::Inventory found = model_store::read_plain_folder(folder);
  // Our own files below it are the ones to keep.
  const fs::path ours = fs::weakly_canonical(session.layout().root);
  for (model_store::StoredModel& model : found.models)
    std::erase_if(model.files, [&](const auto& file) { return lies_below(file.path, ours); });
  inventories.push_back(std::move(found));
  return inventories;
}

nlohmann::json undo(const Settings& settings, const std::string& title,
                    const cli::Context& context) {
  Session session(Session::Use::kAdd, "adopt --undo", context);
  confirm("Give every file that was replaced there its own copy again?", settings.options, context);
  const auto report = undo_sharing(
      session, [&](const std::string& other) { return other == title; }, false, context);
  if (!context.quiet && !context.json) print_undo(report);
  return undo_to_json(report);
}

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  std::error_code error;
  const fs::path folder = fs::canonical(expanded_path(settings.folder), error);
  if (error && settings.undo)
    fail(ErrorKind::kNotFound, "{}: {}", files::escaped(settings.folder), error.message());
  if (error || !fs::is_directory(folder))
    fail(ErrorKind::kNotFound, "{}: expected a folder with models, found {}",
         files::escaped(settings.folder), error ? error.message() : "a file");
  const std::string title = "adopt " + folder.string();
  if (settings.undo) return undo(settings, title, context);
  const Options& options = settings.options;
  const bool there = model_store::store_is_there(model_store::default_layout());
  const Session::Use look = there ? Session::Use::kNote : Session::Use::kRead;
  Session session(options.dry_run ? look : Session::Use::kAdd, title, context);
  const auto inventories = stores_with_folder(session, folder);
  const std::vector<std::string>& problems = inventories.back().problems;
  SharingResult shared = share_duplicates(
      session, inventories, {.title = title, .link = settings.link, .options = options}, context);
  // What other stores hold was never asked to change.
  std::erase_if(shared.plan.left_alone,
                [&](const model_store::LeftAlone& file) { return !lies_below(file.path, folder); });
  if (!context.quiet && !context.json) {
    for (const std::string& problem : problems) fmt::print("warning: {}\n", problem);
    print_sharing(shared, options,
                  "mlx-cache adopt " + files::escaped(shown_path(folder)) + " --undo");
  }
  nlohmann::json result = sharing_to_json(shared);
  result["problems"] = problems;
  result["folder"] = files::escaped(folder.string());
  result["dry_run"] = options.dry_run;
  return result;
}

}  // namespace

cli::Command adopt_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "adopt",
          .summary = "replace duplicates below a folder by links into the cache",
          .examples = {"mlx-cache adopt ~/models --dry-run", "mlx-cache adopt ~/models",
                       "mlx-cache adopt ~/models --undo"},
          .fields = {{.name = "folder",
                      .target = &settings->folder,
                      .help = "folder with models",
                      .required = true,
                      .positional = true},
                     {.name = "undo",
                      .target = &settings->undo,
                      .help = "give every file that was replaced there its own copy again"},
                     link_field(settings->link),
                     dry_run_field(settings->options),
                     yes_field(settings->options),
                     verbose_field(settings->options)},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "core/base/paths.h"
#include "core/files/disk_space.h"
#include "core/files/safe_path.h"
#include "core/model_store/sharing/disk_use.h"
#include "core/model_store/sharing/names.h"
#include "core/report/table.h"
#include "projects/cache/command.h"
#include "projects/cache/session.h"
#include "projects/cache/stores.h"

namespace toolkit::cache {

namespace {

struct Settings {
  bool files = false;
};

struct Row {
  std::string store, model;
  uint64_t named_bytes = 0;  // all its files
  uint64_t own_bytes = 0;    // of these, blocks that no model listed before it holds
};

using Inode = std::pair<uint64_t, uint64_t>;

/// One row per model; blocks count for the first model that holds them, ours first.
std::vector<Row> rows_of(std::vector<model_store::Inventory> inventories) {
  std::stable_partition(inventories.begin(), inventories.end(), [](const auto& inventory) {
    return inventory.place == model_store::Place::kCache;
  });
  std::set<Inode> counted;
  std::vector<Row> rows;
  for (const auto& inventory : inventories) {
    for (const auto& model : inventory.models) {
      Row row{place_name(inventory.place), model.name.identifier};
      std::set<Inode> of_model;
      for (const auto& file : model.files) {
        const Inode inode{file.identity.device, file.identity.inode};
        if (!of_model.insert(inode).second) continue;
        row.named_bytes += file.identity.allocated_bytes;
        if (counted.insert(inode).second) row.own_bytes += file.identity.allocated_bytes;
      }
      rows.push_back(std::move(row));
    }
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.named_bytes > b.named_bytes; });
  return rows;
}

std::vector<model_store::FileName> largest_files(
    const std::vector<model_store::Inventory>& inventories) {
  auto names = model_store::every_name_once(inventories);
  std::stable_sort(names.begin(), names.end(), [](const auto& a, const auto& b) {
    return a.file.identity.allocated_bytes > b.file.identity.allocated_bytes;
  });
  return names;
}

nlohmann::json files_to_json(const std::vector<model_store::FileName>& names) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& name : names)
    list.push_back({{"path", files::escaped(name.file.path.string())},
                    {"store", place_name(name.place)},
                    {"inode", name.file.identity.inode},
                    {"names", name.file.identity.links},
                    {"allocated_bytes", name.file.identity.allocated_bytes}});
  return list;
}

void print_files(const std::vector<model_store::FileName>& names) {
  report::Table table{.header = {"size", "names", "store", "file"}};
  for (const auto& name : names)
    table.rows.push_back({files::shown_bytes(name.file.identity.allocated_bytes),
                          std::to_string(name.file.identity.links), place_name(name.place),
                          files::escaped(shown_path(name.file.path))});
  fmt::print("{}\n", report::to_text(table));
}

void print_models(const std::vector<Row>& rows, const model_store::DiskUse& use) {
  report::Table table{.header = {"size", "counted here", "store", "model"}};
  for (const Row& row : rows)
    table.rows.push_back({files::shown_bytes(row.named_bytes), files::shown_bytes(row.own_bytes),
                          row.store, files::escaped(row.model)});
  fmt::print("{}\n", report::to_text(table));
  report::Table places{.header = {"store", "models", "files", "its own", "shared with others"}};
  for (const auto& place : use.places)
    places.rows.push_back({place_name(place.place), std::to_string(place.models),
                           std::to_string(place.files), files::shown_bytes(place.own_bytes),
                           files::shown_bytes(place.shared_bytes)});
  fmt::print("{}\n{} on disk; without sharing it would be {}: {} saved ({:.0f} %)\n",
             report::to_text(places), files::shown_bytes(use.used_bytes),
             files::shown_bytes(use.named_bytes), files::shown_bytes(use.saved_bytes()),
             100 * use.saved_share());
}

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  Session session(Session::Use::kRead, "du", context);
  const auto inventories = read_stores(session);
  const auto use = model_store::measure_disk_use(inventories, session.registry().cloned_bytes());
  const bool print = !context.quiet && !context.json;
  nlohmann::json result = {{"used_bytes", use.used_bytes},
                           {"named_bytes", use.named_bytes},
                           {"saved_bytes", use.saved_bytes()},
                           {"models", nlohmann::json::array()}};
  const auto rows = rows_of(inventories);
  for (const Row& row : rows)
    result["models"].push_back({{"store", row.store},
                                {"model", files::escaped(row.model)},
                                {"named_bytes", row.named_bytes},
                                {"counted_bytes", row.own_bytes}});
  if (settings.files) {
    const auto names = largest_files(inventories);
    result["files"] = files_to_json(names);
    if (print) print_files(names);
  } else if (print) {
    print_models(rows, use);
  }
  return result;
}

}  // namespace

cli::Command du_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "du",
          .summary = "list disk use per model and store, every file counted once",
          .examples = {"mlx-cache du", "mlx-cache du --files"},
          .fields = {{.name = "files",
                      .target = &settings->files,
                      .help = "every file, largest first"}},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::cache

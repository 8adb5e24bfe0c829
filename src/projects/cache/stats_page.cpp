#include "projects/cache/stats_page.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/paths.h"
#include "core/files/disk_space.h"
#include "core/files/safe_path.h"
#include "projects/cache/page.h"

namespace toolkit::cache {

namespace {

using model_store::DiskUse;
using model_store::Inventory;
using model_store::PlaceUse;

size_t problem_count(const std::vector<Inventory>& inventories) {
  size_t count = 0;
  for (const Inventory& inventory : inventories) count += inventory.problems.size();
  return count;
}

void add_problems(Page& page, const std::vector<Inventory>& inventories, bool verbose) {
  const size_t count = problem_count(inventories);
  if (count == 0) return;
  page.gap();
  if (!verbose) {
    page.line(counted(count, "file or folder") + " could not be read; --verbose names them.",
              Tone::kWarning);
    return;
  }
  for (const Inventory& inventory : inventories)
    for (const std::string& problem : inventory.problems)
      page.line(files::escaped(problem), Tone::kWarning);
}

}  // namespace

std::string to_page(const DiskUse& use, const std::vector<Inventory>& inventories, bool verbose,
                    bool color) {
  Page page(color);
  page.heading("Models on this machine");
  page.gap();
  report::Table table{.header = {"Store", "Models", "Files", "Size", "Alone", "Shared", "Folder"}};
  for (const PlaceUse& place : use.places)
    table.rows.push_back({model_store::place_name(place.place), fmt::format("{}", place.models),
                          fmt::format("{}", place.files), files::shown_bytes(place.named_bytes),
                          files::shown_bytes(place.own_bytes),
                          files::shown_bytes(place.shared_bytes),
                          files::escaped(shown_path(place.root))});
  if (table.rows.empty())
    page.line("None found: `mlx-cache add hf://org/model` brings the first.");
  else
    page.table(table);
  page.gap();
  page.row("without sharing", files::shown_bytes(use.named_bytes));
  page.row("on disk", files::shown_bytes(use.used_bytes));
  page.row("saved", files::shown_bytes(use.saved_bytes()));
  page.line("  " + bar(use.saved_share()) + " saved",
            use.saved_bytes() > 0 ? Tone::kGood : Tone::kPlain);
  add_problems(page, inventories, verbose);
  return page.text();
}

nlohmann::json to_json(const DiskUse& use, const std::vector<Inventory>& inventories) {
  nlohmann::json places = nlohmann::json::array(), problems = nlohmann::json::array();
  for (const PlaceUse& place : use.places)
    places.push_back({{"store", model_store::place_name(place.place)},
                      {"path", place.root.string()},
                      {"models", place.models},
                      {"files", place.files},
                      {"named_bytes", place.named_bytes},
                      {"own_bytes", place.own_bytes},
                      {"shared_bytes", place.shared_bytes}});
  for (const Inventory& inventory : inventories)
    for (const std::string& problem : inventory.problems)
      problems.push_back({{"store", model_store::place_name(inventory.place)}, {"text", problem}});
  return {{"stores", places},
          {"named_bytes", use.named_bytes},
          {"used_bytes", use.used_bytes},
          {"saved_bytes", use.saved_bytes()},
          {"saved_share", use.saved_share()},
          {"problems", problems}};
}

}  // namespace toolkit::cache

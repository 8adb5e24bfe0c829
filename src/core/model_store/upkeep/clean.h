#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/model_store/inventory.h"
#include "core/model_store/layout.h"
#include "core/model_store/registry/registry.h"
#include "core/model_store/settings.h"

namespace toolkit::model_store {

/// Something `clean` would remove.
struct CleanItem {
  enum class What { kModel, kPart, kTemporary, kDanglingLink, kJournal } what = What::kModel;
  std::string label;  // a model's name (uri) or a file's
  std::filesystem::path path;
  uint64_t size_bytes = 0, freed_bytes = 0;  // freed: 0 while another name holds the content
  std::string reason;                        // "no app uses it, last used 45 days ago"
};

struct CleanPlan {
  std::vector<CleanItem> items;
  std::vector<std::string>
      kept;  // "<identifier>: linked by app X", "problems in Ollama's store: ..."
  uint64_t freed_bytes = 0, size_after_bytes = 0;
  /// Every inode seen, for forgetting hashes of those that are gone; empty: nothing is forgotten.
  std::set<std::pair<uint64_t, uint64_t>> inodes;
};

/// What nobody uses: models with no app, not published to a program that lists them, unused for
/// clean_after_days, and while above max_cache_size_gb the longest unused first; parts and
/// temporaries whose lock is free and that are older than a day. Any inventory with problems keeps
/// every model that its place could name. Nothing that is linked is ever in it.
CleanPlan plan_clean(Registry& registry, const Layout& layout, const Settings& settings,
                     const std::vector<Inventory>& others, int64_t now_s);

/// Under the exclusive store lock; every item is judged once more before it goes. Returns freed
/// bytes.
uint64_t apply_clean(Registry& registry, const Layout& layout, const CleanPlan& plan);

}  // namespace toolkit::model_store

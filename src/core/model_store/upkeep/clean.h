#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/model_store/layout.h"
#include "core/model_store/registry/registry.h"
#include "core/model_store/settings.h"
#include "core/model_store/upkeep/use.h"

namespace toolkit::model_store {

/// Something `clean` would remove.
struct CleanItem {
  enum class What { kModel, kPart, kTemporary, kDanglingLink, kJournal } what = What::kModel;
  std::string label;  // a model's name (uri) or a file's
  std::filesystem::path path;
  uint64_t size_bytes = 0, freed_bytes = 0;  // freed: 0 while another name holds the content
  std::string reason;                        // "no app uses it, last used 45 days ago"
  std::vector<Publication> publications;     // our names in other programs' stores: they go too
  std::vector<std::filesystem::path> published_content;  // and what is theirs alone
};

struct CleanPlan {
  std::vector<CleanItem> items;
  std::vector<std::string>
      kept;  // "<identifier>: linked by app X", "problems in Ollama's store: ..."
  uint64_t freed_bytes = 0, size_after_bytes = 0;
  /// Every inode seen, for forgetting hashes of those that are gone; empty: nothing is forgotten.
  Inodes inodes;
};

enum class CleanRules {
  kAgeAndSize,
  kSize,  // models only, and no more of them than the size limit asks for
};

/// What nobody uses (use.h): models unused for clean_after_days, and while the cache is above
/// max_cache_size_gb the longest unused first, but none that came today; parts and temporaries
/// whose lock is free and that are older than a day. Any inventory with problems keeps every model
/// that its place could name. Nothing that is linked is ever in it.
CleanPlan plan_clean(Registry& registry, const Layout& layout, const Settings& settings,
                     const UseEvidence& evidence, int64_t now_s,
                     CleanRules which = CleanRules::kAgeAndSize);

/// Takes a model out of the stores of other programs, as far as we showed it to them.
using Withdraw = std::function<void(const ModelRecord&)>;

/// Under the exclusive store lock; every item is judged once more before it goes, and a model is
/// withdrawn from other programs' stores first. Returns freed bytes.
uint64_t apply_clean(Registry& registry, const Layout& layout, const CleanPlan& plan,
                     const Withdraw& withdraw);

}  // namespace toolkit::model_store

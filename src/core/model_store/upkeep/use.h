#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/files/last_read.h"
#include "core/model_store/inventory.h"
#include "core/model_store/layout.h"
#include "core/model_store/publication.h"
#include "core/model_store/registry/registry.h"
#include "core/platform/process.h"

namespace toolkit::model_store {

using Inodes = std::set<std::pair<uint64_t, uint64_t>>;  // device and inode

/// Where use shows that the registry does not know of.
struct UseEvidence {
  std::vector<Inventory> others;  // every store but ours
  /// What we made of a model in other programs' stores. May throw: then the model stays.
  std::function<std::vector<Publication>(const ModelRecord&)> publications =
      [](const ModelRecord&) { return std::vector<Publication>(); };
  std::function<std::optional<int64_t>(const std::filesystem::path&)> last_read_s =
      files::last_read_s;
  std::function<Inodes()> open_files = platform::open_files;
  /// StoredModel::revision of what a program has in memory, its files perhaps closed.
  std::function<std::set<std::string>()> loaded = [] { return std::set<std::string>(); };
};

/// What is known of one model's use.
struct ModelUse {
  std::string why_kept;   // "linked by Chat", "Ollama lists it as ..."; "" if it may go
  std::string in_words;   // "last read 45 days ago", "never used, added 45 days ago"
  int64_t touched_s = 0;  // last used, read, shown to a program or added
  Inodes inodes;          // of everything in its folder
  std::vector<Publication> publications;
};

/// Tells which models are in use: linked by an app; named by another program in a way that is not
/// our own publication; open in a process or loaded; used or read within the last `days`. A
/// publication of ours is no use, except where the disk does not record reads: nobody knows then
/// who reads by it. A model whose files nobody could bring again (added from a folder that is gone)
/// stays as well.
class UseJudge {
 public:
  UseJudge(Registry& registry, const Layout& layout, const UseEvidence& evidence, int days,
           int64_t now_s);
  ModelUse judge(const ModelRecord& model);
  /// The content that goes from other stores with all of `publications`: what no other listing
  /// holds.
  std::vector<std::filesystem::path> content_that_goes(
      const std::vector<Publication>& publications) const;
  Inodes inodes_of_others() const;  // in stores that were read in full

 private:
  struct Files;
  Files files_of(const ModelRecord& model) const;
  std::string why_kept_by(const AppUse& use, const ModelRecord& model) const;
  std::string why_kept_by_foreign(const Inodes& weights) const;
  std::string why_kept_by_problems(const ModelRecord& model) const;
  std::string why_kept_by_reads(const ModelRecord& model, const Files& files, ModelUse& use) const;
  std::string why_kept_by_programs(const Files& files);
  bool is_ours(const StoredModel& listed) const;

  Layout layout_;
  const UseEvidence& evidence_;
  int64_t days_s_, now_s_;
  std::map<int64_t, std::vector<Publication>> publications_;  // by the model's id
  std::map<int64_t, std::string> unreadable_;                 // why its publications are not known
  std::map<int64_t, std::string> only_copies_;                // by the model's id: why
  std::set<std::filesystem::path> own_listings_;
  std::map<std::pair<uint64_t, uint64_t>, std::vector<const StoredModel*>> listed_;  // by content
  std::optional<Inodes> open_;  // looked for when first asked
  std::optional<std::set<std::string>> loaded_;
};

}  // namespace toolkit::model_store

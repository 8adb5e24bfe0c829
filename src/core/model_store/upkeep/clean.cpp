#include "core/model_store/upkeep/clean.h"

#include <algorithm>
#include <map>

#include "core/base/log.h"
#include "core/files/disk_space.h"
#include "core/files/tree.h"
#include "core/model_store/registry/hash_memory.h"
#include "core/model_store/upkeep/leftovers.h"
#include "core/model_store/upkeep/removal.h"
#include "core/model_store/utc_time.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

/// Blocks of everything in models/, each inode once.
class CacheSize {
 public:
  explicit CacheSize(const fs::path& models) {
    walk(models, [&](const files::Identity& identity) {
      Inode& inode = inodes_[{identity.device, identity.inode}];
      if (inode.names++ == 0) bytes_ += inode.allocated_bytes = identity.allocated_bytes;
    });
  }
  uint64_t bytes() const { return bytes_; }
  void take(const fs::path& folder) {
    walk(folder, [&](const files::Identity& identity) {
      const auto inode = inodes_.find({identity.device, identity.inode});
      if (inode != inodes_.end() && --inode->second.names == 0)
        bytes_ -= inode->second.allocated_bytes;
    });
  }

 private:
  struct Inode {
    uint64_t allocated_bytes = 0;
    int64_t names = 0;
  };
  template <class Visit>
  static void walk(const fs::path& folder, const Visit& visit) {
    if (files::identity_of(folder))
      files::walk_tree(
          folder, [&](const files::TreeEntry& entry) { visit(entry.identity); },
          [](const fs::path&, const std::string&) {});
  }
  std::map<std::pair<uint64_t, uint64_t>, Inode> inodes_;
  uint64_t bytes_ = 0;
};

struct Candidate {
  ModelRecord model;
  ModelUse use;
};

/// Models nobody holds, those of old first; found and kept ones are sorted out into the plan.
std::vector<Candidate> find_candidates(Registry& registry, const Layout& layout, UseJudge& judge,
                                       CleanPlan& plan) {
  std::vector<Candidate> candidates;
  for (ModelRecord& model : registry.models()) {
    ModelUse use = judge.judge(model);
    plan.inodes.insert(use.inodes.begin(), use.inodes.end());
    const fs::path folder = layout.model_folder(model.name);
    if (model.is_symlink) {
      if (use.why_kept.empty() && dangles(folder))
        plan.items.push_back({.what = CleanItem::What::kDanglingLink,
                              .label = model.name.uri(),
                              .path = folder,
                              .reason = "the model it led to is gone"});
    } else if (!use.why_kept.empty()) {
      plan.kept.push_back(model.name.uri() + ": " + use.why_kept);
    } else {
      candidates.push_back({std::move(model), std::move(use)});
    }
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const auto& a, const auto& b) { return a.use.touched_s < b.use.touched_s; });
  return candidates;
}

void add(FreedSpace& freed, const CleanItem& item) {
  freed.add(item.path);
  for (const fs::path& path : item.published_content) freed.add(path);
}

CleanItem item_of(const Candidate& candidate, const Layout& layout, const UseJudge& judge,
                  const std::string& reason) {
  CleanItem item{.what = CleanItem::What::kModel,
                 .label = candidate.model.name.uri(),
                 .path = layout.model_folder(candidate.model.name),
                 .size_bytes = candidate.model.size_bytes,
                 .reason = reason,
                 .publications = candidate.use.publications,
                 .published_content = judge.content_that_goes(candidate.use.publications)};
  FreedSpace freed;
  add(freed, item);
  item.freed_bytes = freed.bytes();
  return item;
}

/// The same content may lie in two models, and be listed for both: counted together.
uint64_t freed_by_all(const std::vector<CleanItem>& items, const UseJudge& judge) {
  FreedSpace freed;
  std::vector<Publication> publications;
  for (const CleanItem& item : items) {
    add(freed, item);
    publications.insert(publications.end(), item.publications.begin(), item.publications.end());
  }
  for (const fs::path& path : judge.content_that_goes(publications)) freed.add(path);
  return freed.bytes();
}

void add_leftovers(const Layout& layout, int64_t now, CleanPlan& plan) {
  for (CleanItem& item : find_leftovers(layout, now)) {
    const bool counted = std::any_of(plan.items.begin(), plan.items.end(),
                                     [&](const CleanItem& has) { return has.path == item.path; });
    if (!counted) plan.items.push_back(std::move(item));
  }
}

/// From the other programs' stores, then from ours. It stays when an app was linked to it since the
/// preview, or when one of those stores cannot be written to.
void remove_unused(Registry& registry, const Layout& layout, const ModelRecord& model,
                   const Withdraw& withdraw) {
  try {
    refuse_linked(model);
    if (!model.is_symlink) withdraw(model);
  } catch (const std::exception& error) {
    log_warning("{} is kept: {}", model.name.uri(), error.what());
    return;
  }
  remove_model(registry, layout, model.name, /*force=*/false);
}

}  // namespace

CleanPlan plan_clean(Registry& registry, const Layout& layout, const Settings& settings,
                     const UseEvidence& evidence, int64_t now, CleanRules which) {
  CleanPlan plan;
  if (!store_is_there(layout)) return plan;
  UseJudge judge(registry, layout, evidence, settings.clean_after_days, now);
  plan.inodes = judge.inodes_of_others();
  const std::vector<Candidate> candidates = find_candidates(registry, layout, judge, plan);
  CacheSize size(layout.models());
  const auto take = [&](const Candidate& candidate, const std::string& reason) {
    plan.items.push_back(item_of(candidate, layout, judge, reason));
    size.take(plan.items.back().path);
  };
  std::vector<const Candidate*> younger;
  for (const Candidate& candidate : candidates) {
    if (which == CleanRules::kAgeAndSize &&
        now - candidate.use.touched_s >= settings.clean_after_days * kDaySeconds)
      take(candidate, "no app uses it, " + candidate.use.in_words);
    else
      younger.push_back(&candidate);
  }
  const double limit = settings.max_cache_size_gb * 1e9;
  for (const Candidate* candidate : younger) {
    if (limit <= 0 || static_cast<double>(size.bytes()) <= limit) break;
    // Somebody fetched it to use it, and a read may be noted a day late.
    if (now - candidate->use.touched_s < kDaySeconds) break;
    take(*candidate,
         fmt::format("the cache is larger than {}; of those no app uses the longest unused: {}",
                     files::shown_bytes(static_cast<uint64_t>(limit)), candidate->use.in_words));
  }
  plan.size_after_bytes = size.bytes();
  if (which == CleanRules::kSize)
    std::erase_if(plan.items, [](const CleanItem& item) {
      return item.what != CleanItem::What::kModel;  // dead links: `clean` shows them
    });
  else
    add_leftovers(layout, now, plan);
  plan.freed_bytes = freed_by_all(plan.items, judge);
  return plan;
}

uint64_t apply_clean(Registry& registry, const Layout& layout, const CleanPlan& plan,
                     const Withdraw& withdraw) {
  // All names before the first goes: two models may share content.
  FreedSpace models;
  for (const CleanItem& item : plan.items) {
    if (item.what != CleanItem::What::kModel) continue;
    models.add(item.path);
    for (const Publication& publication : item.publications)
      for (const PublishedFile& file : publication.files) models.add(file.path);
  }
  uint64_t freed = 0;
  for (const CleanItem& item : plan.items) {
    if (item.label.find("://") == std::string::npos) {
      freed += remove_leftover(layout, item, now_s());
      continue;
    }
    const auto row = registry.find(parse_model_name(item.label));
    if (!row) continue;
    if (item.what == CleanItem::What::kDanglingLink && !dangles(item.path)) continue;
    remove_unused(registry, layout, *row, withdraw);
  }
  if (!plan.inodes.empty()) {
    std::set<uint64_t> devices;
    for (const auto& [device, inode] : plan.inodes) devices.insert(device);
    HashMemory(registry.database()).forget_all_but([&](uint64_t device, uint64_t inode) {
      return !devices.contains(device) || plan.inodes.contains({device, inode});
    });
  }
  return freed + models.bytes_gone();
}

}  // namespace toolkit::model_store

#include "core/model_store/upkeep/clean.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/base/error.h"
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

using Inodes = std::set<std::pair<uint64_t, uint64_t>>;

constexpr int64_t kDaySeconds = 86'400;

Inodes inodes_below(const fs::path& folder) {
  Inodes inodes;
  if (!files::identity_of(folder)) return inodes;
  files::walk_tree(
      folder,
      [&](const files::TreeEntry& entry) {
        inodes.emplace(entry.identity.device, entry.identity.inode);
      },
      [](const fs::path&, const std::string&) {});
  return inodes;
}

/// One spelling may have symlinks in it, or name the folder of models inside the other.
bool is_same_place(const fs::path& a, const fs::path& b) {
  std::error_code error;
  const fs::path first = fs::weakly_canonical(a, error), second = fs::weakly_canonical(b, error);
  const auto [from_first, from_second] =
      std::mismatch(first.begin(), first.end(), second.begin(), second.end());
  return from_first == first.end() || from_second == second.end();
}

/// What the other stores say of our models.
struct Others {
  const std::vector<Inventory>& inventories;
  std::map<const Inventory*, Inodes> inodes;

  explicit Others(const std::vector<Inventory>& given) : inventories(given) {
    for (const Inventory& inventory : given)
      for (const StoredModel& model : inventory.models)
        for (const StoredFile& file : model.files)
          inodes[&inventory].emplace(file.identity.device, file.identity.inode);
  }

  /// "Ollama lists it", "problems in ...", or "" when that program has let go of the model.
  std::string why_kept_by(const AppUse& use, const ModelRecord& model, const Inodes& own) const {
    for (const Inventory& inventory : inventories) {
      if (!is_same_place(inventory.root, use.path)) continue;
      if (!inventory.present)
        return fmt::format("the store of {} is not there now ({})", use.name, use.path.string());
      const bool named =
          std::any_of(inventory.models.begin(), inventory.models.end(),
                      [&](const StoredModel& has) { return has.name == model.name; });
      const auto found = inodes.find(&inventory);
      const bool shared =
          found != inodes.end() && std::any_of(own.begin(), own.end(), [&](const auto& inode) {
            return found->second.contains(inode);
          });
      return named || shared ? use.name + " lists it" : "";
    }
    return fmt::format("the store of {} was not looked at ({})", use.name, use.path.string());
  }

  /// A store that could not be read in full may hold names of the model that nobody saw.
  std::string why_kept_by_problems(const ModelRecord& model) const {
    for (const Inventory& inventory : inventories) {
      if (inventory.problems.empty()) continue;
      const bool hub = inventory.place == Place::kHub, ollama = inventory.place == Place::kOllama;
      const bool other_source = (hub && model.name.source == Source::kOllama) ||
                                (ollama && model.name.source == Source::kLocal);
      if (!other_source)
        return fmt::format("problems in {}: {}", place_name(inventory.place),
                           inventory.problems.front());
    }
    return "";
  }
};

std::string last_touched(const ModelRecord& model) {
  return std::max(model.last_used, model.downloaded_at);
}

/// Why a model must stay whatever its age and the size of the cache; "" if it may go.
std::string why_kept(const ModelRecord& model, const Others& others, const Inodes& own) {
  for (const AppUse& use : model.uses)
    if (use.kind == AppKind::kLinked) return "linked by " + use.name;
  for (const AppUse& use : model.uses)
    if (use.kind == AppKind::kProgram)
      if (std::string why = others.why_kept_by(use, model, own); !why.empty()) return why;
  return others.why_kept_by_problems(model);
}

struct Candidate {
  ModelRecord model;
  uint64_t freed_bytes = 0;
};

CleanItem item_of(const Candidate& candidate, const fs::path& path, const std::string& reason) {
  return {.what = CleanItem::What::kModel,
          .label = candidate.model.name.uri(),
          .path = path,
          .size_bytes = candidate.model.size_bytes,
          .freed_bytes = candidate.freed_bytes,
          .reason = reason};
}

std::string use_in_words(const ModelRecord& model, int64_t now) {
  return model.last_used.empty() ? "never used, added " + shown_age(model.downloaded_at, now)
                                 : "last used " + shown_age(model.last_used, now);
}

/// Models nobody holds, those of old first; found and kept ones are sorted out into the plan.
std::vector<Candidate> find_candidates(Registry& registry, const Layout& layout,
                                       const Others& others, CleanPlan& plan) {
  std::vector<Candidate> candidates;
  for (ModelRecord& model : registry.models()) {
    const fs::path folder = layout.model_folder(model.name);
    const Inodes own = inodes_below(folder);
    plan.inodes.insert(own.begin(), own.end());
    const std::string kept = why_kept(model, others, own);
    if (model.is_symlink) {
      const bool linked = kept.starts_with("linked by");
      if (dangles(folder) && !linked)
        plan.items.push_back({.what = CleanItem::What::kDanglingLink,
                              .label = model.name.uri(),
                              .path = folder,
                              .reason = "the model it led to is gone"});
      continue;
    }
    if (!kept.empty()) {
      plan.kept.push_back(model.name.uri() + ": " + kept);
      continue;
    }
    FreedSpace freed;
    freed.add(folder);
    candidates.push_back({std::move(model), freed.bytes()});
  }
  std::stable_sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
    return last_touched(a.model) < last_touched(b.model);
  });
  return candidates;
}

/// Blocks of everything in models/, each inode once.
uint64_t cache_size(const Layout& layout) {
  uint64_t bytes = 0;
  Inodes seen;
  files::walk_tree(
      layout.models(),
      [&](const files::TreeEntry& entry) {
        if (seen.emplace(entry.identity.device, entry.identity.inode).second)
          bytes += entry.identity.allocated_bytes;
      },
      [](const fs::path&, const std::string&) {});
  return bytes;
}

}  // namespace

CleanPlan plan_clean(Registry& registry, const Layout& layout, const Settings& settings,
                     const std::vector<Inventory>& inventories, int64_t now) {
  CleanPlan plan;
  if (!store_is_there(layout)) return plan;
  const Others others(inventories);
  for (const auto& [inventory, inodes] : others.inodes)
    if (inventory->problems.empty()) plan.inodes.insert(inodes.begin(), inodes.end());
  const std::vector<Candidate> candidates = find_candidates(registry, layout, others, plan);
  plan.size_after_bytes = cache_size(layout);
  const double limit = settings.max_cache_size_gb * 1e9;
  const auto take = [&](const Candidate& candidate, const std::string& reason) {
    plan.items.push_back(item_of(candidate, layout.model_folder(candidate.model.name), reason));
    plan.size_after_bytes -= std::min(plan.size_after_bytes, candidate.freed_bytes);
  };
  std::vector<const Candidate*> younger;
  for (const Candidate& candidate : candidates) {
    const auto touched = parse_utc(last_touched(candidate.model));
    if (touched && now - *touched > settings.clean_after_days * kDaySeconds)
      take(candidate, "no app uses it, " + use_in_words(candidate.model, now));
    else
      younger.push_back(&candidate);
  }
  // The same inode may lie in two models: their rests are counted together at the end.
  for (const Candidate* candidate : younger) {
    if (limit <= 0 || static_cast<double>(plan.size_after_bytes) <= limit) break;
    take(*candidate,
         fmt::format("the cache is larger than {}; of those no app uses the longest unused: {}",
                     files::shown_bytes(static_cast<uint64_t>(limit)),
                     use_in_words(candidate->model, now)));
  }
  for (CleanItem& item : find_leftovers(layout, now)) {
    const bool counted = std::any_of(plan.items.begin(), plan.items.end(),
                                     [&](const CleanItem& has) { return has.path == item.path; });
    if (!counted) plan.items.push_back(std::move(item));
  }
  FreedSpace freed;
  for (const CleanItem& item : plan.items) freed.add(item.path);
  plan.freed_bytes = freed.bytes();
  return plan;
}

uint64_t apply_clean(Registry& registry, const Layout& layout, const CleanPlan& plan) {
  uint64_t freed = 0;
  for (const CleanItem& item : plan.items) {
    const bool model = item.label.find("://") != std::string::npos;
    if (!model) {
      freed += remove_leftover(layout, item, now_s());
      continue;
    }
    const ModelName name = parse_model_name(item.label);
    const auto row = registry.find(name);
    if (!row) continue;
    if (item.what == CleanItem::What::kDanglingLink && !dangles(item.path)) continue;
    try {
      freed += remove_model(registry, layout, name, /*force=*/false);
    } catch (const Error& error) {
      // An app was linked to it since the preview.
      if (error.kind() != ErrorKind::kUserInput) throw;
      log_info("kept: {}", error.what());
    }
  }
  if (!plan.inodes.empty()) {
    std::set<uint64_t> devices;
    for (const auto& [device, inode] : plan.inodes) devices.insert(device);
    HashMemory(registry.database()).forget_all_but([&](uint64_t device, uint64_t inode) {
      return !devices.contains(device) || plan.inodes.contains({device, inode});
    });
  }
  return freed;
}

}  // namespace toolkit::model_store

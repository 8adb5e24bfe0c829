#include "core/model_store/sharing/sharing_plan.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/model_store/sharing/names.h"

namespace toolkit::model_store {

namespace {

/// One file with all its names that are known.
struct Inode {
  std::vector<const FileName*> names;
  std::optional<std::string> claim;  // sha256 that a name or metadata says
  std::optional<std::string> sha256;

  const files::Identity& identity() const { return names.front()->file.identity; }
  bool in_our_store() const {
    return std::any_of(names.begin(), names.end(),
                       [](const FileName* name) { return name->place == Place::kCache; });
  }
};

files::LinkPolicy narrowed(const files::LinkPolicy& policy, const std::string& link) {
  files::LinkPolicy kinds;
  for (const files::LinkKind kind : policy) {
    if (kind == files::LinkKind::kCopy) continue;  // shares nothing
    if (link == "hard_link" && kind != files::LinkKind::kHardLink) continue;
    if (link == "clone" && kind != files::LinkKind::kClone) continue;
    kinds.push_back(kind);
  }
  return kinds;
}

class Planner {
 public:
  Planner(const HashOfFile& hash, const SharingOptions& options) : hash_(hash), options_(options) {}

  SharingPlan plan(const std::vector<FileName>& names) {
    std::map<uint64_t, std::vector<Inode>> by_size;
    for (const auto& [id, of_inode] : names_by_inode(names)) {
      const uint64_t size = of_inode.front()->file.identity.size_bytes;
      if (size >= std::max<uint64_t>(options_.smallest_bytes, 1))
        by_size[size].push_back(make_inode(of_inode));
    }
    // Largest first: what frees most is done first if it is interrupted.
    for (auto group = by_size.rbegin(); group != by_size.rend(); ++group)
      if (group->second.size() > 1) plan_size(group->second);
    return std::move(plan_);
  }

 private:
  static Inode make_inode(const std::vector<const FileName*>& names) {
    Inode inode;
    inode.names = names;
    for (const FileName* name : names)
      if (name->file.claimed && name->file.claimed->algorithm == hash::Algorithm::kSha256)
        inode.claim = name->file.claimed->hex;
    return inode;
  }

  bool replaceable(const Inode& inode) const {
    return std::any_of(inode.names.begin(), inode.names.end(), [&](const FileName* name) {
      return !narrowed(name->file.policy, options_.link).empty();
    });
  }

  /// Whether reading both could lead to anything.
  bool may_be_shared(const Inode& a, const Inode& b) const {
    return a.identity().device == b.identity().device &&
           (!a.claim || !b.claim || *a.claim == *b.claim) && (replaceable(a) || replaceable(b));
  }

  void plan_size(std::vector<Inode>& inodes) {
    for (Inode& inode : inodes) {
      const bool wanted = std::any_of(inodes.begin(), inodes.end(), [&](const Inode& other) {
        return &other != &inode && may_be_shared(inode, other);
      });
      if (wanted) read(inode);
    }
    std::map<std::pair<uint64_t, std::string>, std::vector<const Inode*>> equal;
    for (const Inode& inode : inodes)
      if (inode.sha256) equal[{inode.identity().device, *inode.sha256}].push_back(&inode);
    for (const auto& [key, copies] : equal)
      if (copies.size() > 1) plan_copies(key.second, copies);
    name_other_volumes(inodes);
  }

  void read(Inode& inode) {
    const StoredFile& file = inode.names.front()->file;
    plan_.hashed_bytes += file.identity.size_bytes;
    try {
      inode.sha256 = hash_(file).hex;
    } catch (const Error& error) {
      // Ctrl-C and a full registry disk must end the command; an unreadable file must not.
      if (error.kind() != ErrorKind::kIo || InterruptGuard::requested()) throw;
      leave(inode, error.what());
      return;
    }
    if (!inode.claim || *inode.claim == *inode.sha256) return;
    leave(inode, "its content is not what its name says: damaged or changed");
    inode.sha256.reset();
  }

  void leave(const Inode& inode, const std::string& reason) {
    for (const FileName* name : inode.names) leave(*name, reason);
  }
  void leave(const FileName& name, const std::string& reason) {
    plan_.left_alone.push_back({name.file.path, name.file.identity.size_bytes, reason});
  }

  const Inode& choose_keep(const std::vector<const Inode*>& copies) const {
    const auto rank = [this](const Inode* inode) {
      const files::Identity& identity = inode->identity();
      // Another user's file can often not be linked (protected_hardlinks); what must stay as it is
      // can still serve the others.
      return std::tuple(!inode->in_our_store(), identity.user != ::geteuid(), replaceable(*inode),
                        -static_cast<int64_t>(identity.links), identity.mtime_ns, identity.inode);
    };
    return **std::min_element(copies.begin(), copies.end(),
                              [&](const Inode* a, const Inode* b) { return rank(a) < rank(b); });
  }

  void plan_copies(const std::string& sha256, const std::vector<const Inode*>& copies) {
    const Inode& keep = choose_keep(copies);
    const auto kept_name = std::find_if(
        keep.names.begin(), keep.names.end(),
        [&](const FileName* name) { return !keep.in_our_store() || name->place == Place::kCache; });
    Duplicate duplicate;
    duplicate.sha256 = sha256;
    duplicate.size_bytes = keep.identity().size_bytes;
    duplicate.keep = (*kept_name)->file;
    duplicate.keep_place = (*kept_name)->place;
    for (const Inode* inode : copies) {
      if (inode == &keep) continue;
      if (files::share_blocks(duplicate.keep.path, inode->names.front()->file.path)) continue;
      size_t taken = 0;
      for (const FileName* name : inode->names) taken += take(*name, duplicate) ? 1 : 0;
      // A name that nobody listed, or that stays, keeps the blocks.
      if (taken == inode->identity().links) plan_.freed_bytes += inode->identity().allocated_bytes;
    }
    if (!duplicate.replace.empty()) plan_.duplicates.push_back(std::move(duplicate));
  }

  bool take(const FileName& name, Duplicate& duplicate) {
    const std::string reason = why_left(name, duplicate.keep);
    if (!reason.empty()) {
      leave(name, reason);
      return false;
    }
    duplicate.replace.push_back(name.file);
    duplicate.replace.back().policy = narrowed(name.file.policy, options_.link);
    duplicate.replace_places.push_back(name.place);
    return true;
  }

  std::string why_left(const FileName& name, const StoredFile& keep) const {
    const files::Identity& identity = name.file.identity;
    if (name.file.policy.empty()) return "its program does not take links";
    if (narrowed(name.file.policy, options_.link).empty())
      return fmt::format("its place takes no {}",
                         options_.link == "clone" ? "clones" : "hard links");
    if (identity.user != ::geteuid() && identity.user != keep.identity.user)
      return fmt::format("owned by user {}: run this as that user, or give it the same owner",
                         identity.user);
    if (::access(name.file.path.parent_path().c_str(), W_OK | X_OK) != 0)
      return "its folder cannot be written to";
    return "";
  }

  /// Equal content, known by hash or claim, on a second file system stays a copy there.
  void name_other_volumes(const std::vector<Inode>& inodes) {
    std::map<std::string, const Inode*> first;
    for (const bool ours : {true, false}) {
      for (const Inode& inode : inodes) {
        const auto& content = inode.sha256 ? inode.sha256 : inode.claim;
        if (!content || inode.in_our_store() != ours) continue;
        const auto [entry, is_new] = first.try_emplace(*content, &inode);
        if (!is_new && entry->second->identity().device != inode.identity().device)
          leave(*inode.names.front(),
                "other volume than " + entry->second->names.front()->file.path.string());
      }
    }
  }

  const HashOfFile& hash_;
  const SharingOptions& options_;
  SharingPlan plan_;
};

}  // namespace

SharingPlan plan_sharing(const std::vector<Inventory>& inventories, const HashOfFile& hash,
                         const SharingOptions& options) {
  return Planner(hash, options).plan(every_name_once(inventories));
}

}  // namespace toolkit::model_store

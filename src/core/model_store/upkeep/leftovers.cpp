#include "core/model_store/upkeep/leftovers.h"

#include <algorithm>
#include <optional>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/files/folder.h"
#include "core/files/lock.h"
#include "core/files/replace_journal.h"
#include "core/files/tree.h"
#include "core/model_store/upkeep/removal.h"
#include "core/model_store/utc_time.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;
using files::FileKind;

namespace {

constexpr int kLevelsToMountPoint = 3;

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error))
    paths.push_back(entry->path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

/// The moment before which something was left.
struct Limit {
  int64_t s;
};

bool is_old(const fs::path& path, Limit limit) {
  const auto found = files::identity_of(path);
  return found && found->mtime_ns / 1'000'000'000 < limit.s;
}

/// Free when nobody holds it; a lock file that was never made is held by nobody.
bool lock_is_free(const fs::path& lock_file) {
  std::error_code error;
  if (!fs::exists(lock_file, error)) return true;
  return files::FileLock::try_take(lock_file, files::LockMode::kExclusive, "clean").held();
}

/// "<hex>.part" and "<hex>.part.state" belong to the lock of that content.
std::string part_digest(const std::string& name) {
  const size_t dot = name.find(".part");
  return dot == name.npos ? "" : name.substr(0, dot);
}

/// "<folder>" of ".<folder>.new", ".old" and ".gone"; "" for other names.
std::string folder_being_changed(const std::string& name) {
  for (const std::string_view ending : {".new", ".old", ".gone"})
    if (name.starts_with('.') && name.ends_with(ending) && name.size() > 1 + ending.size())
      return name.substr(1, name.size() - 1 - ending.size());
  return "";
}

/// "<folder>" of ".<folder>.metadata.json".
std::string folder_of_metadata(const std::string& name) {
  const std::string_view ending = kMetadataFile;
  return name.starts_with('.') && name.ends_with(ending) && name.size() > 1 + ending.size()
             ? name.substr(1, name.size() - 1 - ending.size())
             : "";
}

bool is_temporary(const std::string& name) {
  return name.starts_with(files::kTemporaryPrefix) ||
         (name.starts_with('.') && name.find(".part-") != name.npos);  // write_file_atomically
}

CleanItem item_of(CleanItem::What what, const fs::path& path, const std::string& reason) {
  FreedSpace freed;
  freed.add(path);
  return {.what = what,
          .label = path.filename().string(),
          .path = path,
          .size_bytes = freed.named_bytes(),
          .freed_bytes = freed.bytes(),
          .reason = reason};
}

std::optional<CleanItem> judge_incoming(const Layout& layout, const fs::path& path, Limit limit) {
  if (!is_old(path, limit)) return std::nullopt;
  const std::string digest = part_digest(path.filename().string());
  if (digest.empty()) return item_of(CleanItem::What::kTemporary, path, "left in incoming/");
  if (!lock_is_free(layout.locks() / ("blob-" + digest))) return std::nullopt;
  return item_of(CleanItem::What::kPart, path, "a download nobody went on with for a day");
}

/// Its target is gone, the place it was in is not.
bool leads_nowhere(const fs::path& link) {
  std::error_code error;
  if (fs::exists(link, error)) return false;
  fs::path target = fs::read_symlink(link, error);
  if (error) return false;
  if (target.is_relative()) target = link.parent_path() / target;
  // A program that removed a model left the folders around it; a volume that is away left none.
  fs::path parent = target.lexically_normal().parent_path();
  for (int level = 0; level < kLevelsToMountPoint && parent != parent.root_path(); ++level) {
    if (fs::is_directory(parent, error)) return true;
    parent = parent.parent_path();
  }
  return false;
}

std::optional<CleanItem> judge_in_models(const Layout& layout, const fs::path& path, Limit limit) {
  const std::string name = path.filename().string();
  const auto found = files::identity_of(path);
  if (!found) return std::nullopt;
  if (found->kind == FileKind::kSymlink && leads_nowhere(path))
    return item_of(CleanItem::What::kDanglingLink, path, "the model it led to is gone");
  if (const std::string folder = folder_being_changed(name); !folder.empty()) {
    // One being removed is in nobody's way, one being made may be somebody's.
    const bool removed = name.ends_with(".gone");
    if ((!removed && !is_old(path, limit)) ||
        !lock_is_free(layout.locks() / model_lock_name(folder)))
      return std::nullopt;
    // The only copy of a model is for `repair` to put back.
    if (name.ends_with(".old") && !files::identity_of(layout.models() / folder))
      return std::nullopt;
    return item_of(CleanItem::What::kTemporary, path, "a model half made or half removed");
  }
  if (const std::string folder = folder_of_metadata(name); !folder.empty()) {
    const auto link = files::identity_of(layout.models() / folder);
    if (link && link->kind == FileKind::kSymlink) return std::nullopt;
    return item_of(CleanItem::What::kTemporary, path, "its link is gone");
  }
  if (is_temporary(name) && is_old(path, limit))
    return item_of(CleanItem::What::kTemporary, path, "left by a program that ended early");
  return std::nullopt;
}

/// Temporary names inside a model's folder.
void find_in_model(const Layout& layout, const fs::path& folder, Limit limit,
                   std::vector<CleanItem>& items) {
  const auto found = files::identity_of(folder);
  if (!found || found->kind != FileKind::kFolder) return;
  if (!lock_is_free(layout.locks() / model_lock_name(folder.filename().string()))) return;
  files::walk_tree(
      folder,
      [&](const files::TreeEntry& entry) {
        if (is_temporary(entry.path.filename().string()) && is_old(entry.path, limit))
          items.push_back(item_of(CleanItem::What::kTemporary, entry.path,
                                  "left by a program that ended early"));
      },
      [](const fs::path&, const std::string&) {});
}

std::optional<CleanItem> judge_journal(const Layout& layout, const files::JournalSummary& journal,
                                       Limit limit) {
  const fs::path path = layout.journal() / (journal.id + ".jsonl");
  if (!journal.finished || journal.undone < journal.steps || !is_old(path, limit))
    return std::nullopt;
  return item_of(CleanItem::What::kJournal, path, "nothing in it is left to undo");
}

std::optional<CleanItem> judge(const Layout& layout, const CleanItem& item, Limit limit) {
  const fs::path folder = item.path.parent_path();
  if (folder == layout.incoming()) return judge_incoming(layout, item.path, limit);
  if (folder == layout.models()) return judge_in_models(layout, item.path, limit);
  return is_old(item.path, limit) ? std::optional(item) : std::nullopt;
}

}  // namespace

bool dangles(const fs::path& model_folder) {
  const auto found = files::identity_of(model_folder);
  if (!found) return false;
  if (found->kind == FileKind::kSymlink) return leads_nowhere(model_folder);
  bool any = false;
  files::walk_tree(
      model_folder,
      [&](const files::TreeEntry& entry) {
        any = any || (entry.identity.kind == FileKind::kSymlink && leads_nowhere(entry.path));
      },
      [](const fs::path&, const std::string&) {});
  return any;
}

std::vector<CleanItem> find_leftovers(const Layout& layout, int64_t now, int64_t grace) {
  const Limit limit{now - grace};
  std::vector<CleanItem> items;
  const auto add = [&](const std::optional<CleanItem>& item) {
    if (item) items.push_back(*item);
  };
  for (const fs::path& path : entries_of(layout.incoming()))
    add(judge_incoming(layout, path, limit));
  for (const fs::path& path : entries_of(layout.models())) {
    add(judge_in_models(layout, path, limit));
    if (!path.filename().string().starts_with('.')) find_in_model(layout, path, limit, items);
  }
  for (const fs::path& path : entries_of(layout.root))
    if (is_temporary(path.filename().string()) && is_old(path, limit))
      items.push_back(
          item_of(CleanItem::What::kTemporary, path, "left by a program that ended early"));
  try {
    for (const files::JournalSummary& journal : files::list_journals(layout.journal()))
      add(judge_journal(layout, journal, limit));
  } catch (const Error& error) {
    log_warning("journals are left alone: {}", error.what());
  }
  return items;
}

uint64_t remove_leftover(const Layout& layout, const CleanItem& item, int64_t now, int64_t grace) {
  const auto still = judge(layout, item, Limit{now - grace});
  if (!still) return 0;
  const files::Folder root = files::Folder::open(layout.root);
  const std::string relative = item.path.lexically_relative(layout.root).string();
  if (const auto found = root.find(relative); found && found->kind == FileKind::kFolder)
    root.remove_tree(relative);
  else
    root.remove_file(relative);
  return still->freed_bytes;
}

}  // namespace toolkit::model_store

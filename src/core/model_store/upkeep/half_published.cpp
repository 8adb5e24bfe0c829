#include "core/model_store/upkeep/half_published.h"

#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "core/files/folder.h"
#include "core/files/identity.h"
#include "core/files/lock.h"
#include "core/model_store/metadata.h"
#include "core/model_store/upkeep/removal.h"

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

/// Metadata is written last, so a folder that has one and all of its files was finished.
bool is_whole(const fs::path& folder, const std::string& expected_folder) try {
  const auto metadata = read_metadata(folder);
  if (!metadata || metadata->name.folder_name() != expected_folder) return false;
  return std::all_of(metadata->files.begin(), metadata->files.end(), [&](const FileRecord& file) {
    const auto found = files::resolved_identity(folder / file.name);
    return found && found->kind == files::FileKind::kFile && found->size_bytes == file.size_bytes;
  });
} catch (const Error&) {
  return false;
}

/// "<folder>" for every .<folder>.new, .old and .gone.
std::set<std::string> folders_begun(const fs::path& models) {
  std::set<std::string> folders;
  std::error_code error;
  for (fs::directory_iterator entry(models, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    for (const std::string_view ending : {".new", ".old", ".gone"})
      if (name.starts_with('.') && name.ends_with(ending) && name.size() > ending.size() + 1)
        folders.insert(name.substr(1, name.size() - 1 - ending.size()));
  }
  return folders;
}

class Finisher {
 public:
  Finisher(const Layout& layout, bool dry_run)
      : models_(files::Folder::open(layout.models())), dry_run_(dry_run) {}

  void finish(const std::string& folder) {
    const std::string made = "." + folder + ".new", old = "." + folder + ".old";
    bool there = is_there(folder);
    if (!there && is_whole(models_.path() / made, folder)) {
      rename(made, folder, "finished " + folder);
      there = true;
    } else if (!there && is_there(old)) {
      rename(old, folder, "put " + folder + " back");
      there = true;
    }
    for (const std::string& rest : {made, old, removal_name(folder)})
      if (is_there(rest) && !taken_.contains(rest)) {
        lines_.push_back("removed " + rest);
        if (!dry_run_) models_.remove_tree(rest);
      }
  }

  const std::vector<std::string>& lines() const { return lines_; }

 private:
  bool is_there(const std::string& name) const { return models_.find(name).has_value(); }

  void rename(const std::string& from, const std::string& to, const std::string& line) {
    lines_.push_back(line);
    taken_.insert(from);
    if (!dry_run_) models_.rename(from, to);
  }

  files::Folder models_;
  bool dry_run_;
  std::set<std::string> taken_;
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> finish_half_published(const Layout& layout, bool dry_run) {
  Finisher finisher(layout, dry_run);
  for (const std::string& folder : folders_begun(layout.models())) {
    const auto lock = files::FileLock::try_take(layout.locks() / model_lock_name(folder),
                                                files::LockMode::kExclusive, "repair " + folder);
    if (lock.held()) finisher.finish(folder);
  }
  return finisher.lines();
}

}  // namespace toolkit::model_store

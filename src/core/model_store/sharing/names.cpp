#include "core/model_store/sharing/names.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>

namespace toolkit::model_store {

namespace fs = std::filesystem;

namespace {

/// Real paths of folders, each asked for once.
class RealFolders {
 public:
  fs::path real(const fs::path& path) {
    const auto [entry, is_new] = known_.try_emplace(path.parent_path().string());
    if (is_new) {
      std::error_code error;
      entry->second = fs::canonical(path.parent_path(), error);
      if (error) entry->second = fs::absolute(path.parent_path()).lexically_normal();
    }
    return entry->second / path.filename();
  }

 private:
  std::map<std::string, fs::path> known_;
};

void take_second_listing(FileName& known, const FileName& other) {
  files::LinkPolicy both;
  for (const files::LinkKind kind : known.file.policy)
    if (std::find(other.file.policy.begin(), other.file.policy.end(), kind) !=
        other.file.policy.end())
      both.push_back(kind);
  if (known.place == Place::kCache) {
    known.place = other.place;
    known.file.policy = other.file.policy;
  } else if (other.place != Place::kCache) {
    known.file.policy = both;
  }
  if (!known.file.claimed) known.file.claimed = other.file.claimed;
}

}  // namespace

std::vector<FileName> every_name_once(const std::vector<Inventory>& inventories) {
  RealFolders folders;
  std::map<std::string, size_t> known;
  std::vector<FileName> names;
  for (const Inventory& inventory : inventories) {
    for (const StoredModel& model : inventory.models) {
      for (const StoredFile& file : model.files) {
        if (file.identity.kind != files::FileKind::kFile) continue;
        FileName name{file, model.place};
        name.file.path = folders.real(file.path);
        const auto [entry, is_new] = known.try_emplace(name.file.path.string(), names.size());
        if (is_new) {
          names.push_back(std::move(name));
        } else {
          take_second_listing(names[entry->second], name);
        }
      }
    }
  }
  return names;
}

Inodes names_by_inode(const std::vector<FileName>& names) {
  Inodes inodes;
  for (const FileName& name : names)
    inodes[{name.file.identity.device, name.file.identity.inode}].push_back(&name);
  return inodes;
}

}  // namespace toolkit::model_store

#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "core/model_store/layout.h"
#include "core/model_store/registry/registry.h"

namespace toolkit::model_store {

/// What the file systems give back when everything added goes: blocks of inodes whose every name
/// was added.
class FreedSpace {
 public:
  /// A file, a symlink (its target stays) or everything below a folder; nothing there is no error.
  /// The same name counts once.
  void add(const std::filesystem::path& path);
  uint64_t bytes() const;
  uint64_t bytes_gone() const;  // of names that are gone now: what really came back
  uint64_t named_bytes() const { return named_bytes_; }  // sizes of all names

 private:
  struct Inode {
    uint64_t allocated_bytes = 0, links = 0;
    std::set<std::filesystem::path> names;
  };
  std::map<std::pair<uint64_t, uint64_t>, Inode> inodes_;
  uint64_t named_bytes_ = 0;
};

/// Throws Error(kUserInput) naming the apps that are linked to a model, and how to let go of it.
void refuse_linked(const ModelRecord& model);

/// One model out of our store, under its lock: the row, then the folder, which first gets a name
/// that `clean` takes if we are killed. A link to a model of another program is removed, never what
/// it leads to. Returns freed bytes. Throws Error(kUserInput) naming the linked apps unless
/// `force`, Error(kNotFound).
uint64_t remove_model(Registry& registry, const Layout& layout, const ModelName& name, bool force);

/// The name beside models/<folder> that a model has while it is removed.
std::string removal_name(const std::string& folder);

}  // namespace toolkit::model_store

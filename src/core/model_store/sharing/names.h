#pragma once

#include <map>
#include <utility>
#include <vector>

#include "core/model_store/inventory.h"

namespace toolkit::model_store {

/// One name of a file, whoever lists it.
struct FileName {
  StoredFile file;
  Place place = Place::kFolder;
};

/// Every regular file of the inventories once: by its real path (the folders above it without
/// links). Of several listings the other program's counts before ours (ours is then a symlink to
/// it), and only what all of them allow may become of it.
std::vector<FileName> every_name_once(const std::vector<Inventory>& inventories);

/// Names by the file they lead to: device and inode.
using Inodes = std::map<std::pair<uint64_t, uint64_t>, std::vector<const FileName*>>;
Inodes names_by_inode(const std::vector<FileName>& names);

}  // namespace toolkit::model_store

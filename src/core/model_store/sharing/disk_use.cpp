#include "core/model_store/sharing/disk_use.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/model_store/sharing/names.h"

namespace toolkit::model_store {

namespace {

/// The place of an inventory that a name is counted in: the folder it lies below, as several
/// inventories may be of one kind.
struct Counted {
  std::set<const PlaceUse*> places;
  uint64_t allocated_bytes = 0;
};

}  // namespace

double DiskUse::saved_share() const {
  return named_bytes == 0 ? 0
                          : static_cast<double>(saved_bytes()) / static_cast<double>(named_bytes);
}

DiskUse measure_disk_use(const std::vector<Inventory>& inventories, uint64_t cloned_bytes) {
  DiskUse use;
  use.places.reserve(inventories.size());  // their addresses are kept below
  std::map<std::pair<uint64_t, uint64_t>, Counted> inodes;
  std::set<std::string> counted;
  const auto count = [&](const Inventory& inventory) {
    if (!inventory.present && inventory.models.empty()) return;
    PlaceUse& place = use.places.emplace_back();
    place.place = inventory.place;
    place.root = inventory.root;
    place.models = static_cast<int64_t>(inventory.models.size());
    for (const FileName& name : every_name_once({inventory})) {
      if (!counted.insert(name.file.path.string()).second) continue;
      const files::Identity& identity = name.file.identity;
      ++place.files;
      place.named_bytes += identity.allocated_bytes;
      Counted& inode = inodes[{identity.device, identity.inode}];
      inode.places.insert(&place);
      inode.allocated_bytes = identity.allocated_bytes;
    }
  };
  // Other programs' first: our own store shows what it found there by symlinks, which take nothing.
  for (const bool ours : {false, true})
    for (const Inventory& inventory : inventories)
      if ((inventory.place == Place::kCache) == ours) count(inventory);
  for (PlaceUse& place : use.places) {
    use.named_bytes += place.named_bytes;
    for (const auto& [id, inode] : inodes)
      if (inode.places.contains(&place))
        (inode.places.size() == 1 ? place.own_bytes : place.shared_bytes) += inode.allocated_bytes;
  }
  for (const auto& [id, inode] : inodes) use.used_bytes += inode.allocated_bytes;
  use.used_bytes -= std::min(use.used_bytes, cloned_bytes);
  return use;
}

}  // namespace toolkit::model_store

#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/model_store/inventory.h"

namespace toolkit::model_store {

/// Disk use of one place, counted by inode.
struct PlaceUse {
  Place place = Place::kFolder;
  std::filesystem::path root;
  int64_t models = 0, files = 0;
  uint64_t named_bytes = 0;   // sum over names: what it would take without sharing
  uint64_t own_bytes = 0;     // blocks that only this place holds
  uint64_t shared_bytes = 0;  // blocks it shares with others (its part is not counted twice below)
};

struct DiskUse {
  std::vector<PlaceUse> places;
  uint64_t named_bytes = 0, used_bytes = 0;  // used: every inode once, clones by our record
  uint64_t saved_bytes() const { return named_bytes - used_bytes; }
  double saved_share() const;  // 0..1
};

/// `cloned_bytes`: what clones made by us share, from the table savings (du cannot see it).
DiskUse measure_disk_use(const std::vector<Inventory>& inventories, uint64_t cloned_bytes);

}  // namespace toolkit::model_store

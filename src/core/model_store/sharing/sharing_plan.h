#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/files/replace_journal.h"
#include "core/model_store/inventory.h"

namespace toolkit::model_store {

/// One content with its copies.
struct Duplicate {
  std::string sha256;
  uint64_t size_bytes = 0;
  StoredFile keep;
  Place keep_place = Place::kCache;
  std::vector<StoredFile> replace;  // other inodes, one entry per name
  std::vector<Place> replace_places;
};

/// A name that stays as it is, and why: "owned by user ollama", "other volume", "one blob per
/// tensor".
struct LeftAlone {
  std::filesystem::path path;
  uint64_t size_bytes = 0;
  std::string reason;
};

struct SharingPlan {
  std::vector<Duplicate> duplicates;
  std::vector<LeftAlone> left_alone;
  uint64_t freed_bytes = 0;   // blocks the file systems will give back: by inode, last name of each
  uint64_t hashed_bytes = 0;  // read for this plan
};

struct SharingOptions {
  uint64_t smallest_bytes = 1 << 20;  // smaller files are left alone
  std::string link = "auto";          // Settings::link
};

/// Finds equal content over all inventories: same size first, then the hash of every file of that
/// size, recalled or computed; a claimed digest only spares those whose claims differ. Keeps the
/// name in our store, else the one with most links, else the oldest. Complete inventories or not: a
/// replacement never needs another store's list.
SharingPlan plan_sharing(const std::vector<Inventory>& inventories, const HashOfFile& hash,
                         const SharingOptions& options);

struct SharingReport {
  std::string journal;  // id for undo; empty: nothing to do
  int64_t replaced = 0, skipped = 0;
  uint64_t freed_bytes = 0;
  std::vector<std::string> lines;  // "<path>: hard link (why)" for --verbose
};

SharingReport apply_sharing(const SharingPlan& plan, const std::filesystem::path& journal_folder,
                            const std::function<void(uint64_t done, uint64_t total)>& progress);

}  // namespace toolkit::model_store

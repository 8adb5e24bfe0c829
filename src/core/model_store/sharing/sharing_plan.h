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
  std::vector<StoredFile> replace;  // other inodes, one entry per name; policy: as narrowed
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
  uint64_t hashed_bytes = 0;  // of files whose hash was asked for, remembered or not
};

struct SharingOptions {
  uint64_t smallest_bytes = 1 << 20;  // smaller files are left alone
  std::string link = "auto";          // Settings::link
};

/// Finds equal content over all inventories: same size first, then the hash of every file of that
/// size, recalled or computed; a claimed digest only spares those whose claims differ. Keeps the
/// name in our store, else one that is ours, may not be replaced, has most links, is the oldest;
/// one for each file system. Files that are clones of the kept one already stay. Complete
/// inventories or not: a replacement never needs another store's list.
SharingPlan plan_sharing(const std::vector<Inventory>& inventories, const HashOfFile& hash,
                         const SharingOptions& options);

/// A name that became a link.
struct SharedFile {
  std::filesystem::path path;
  Place place = Place::kFolder;
  files::LinkKind link = files::LinkKind::kHardLink;
  std::string reason;        // why not a kind before it; may be empty
  uint64_t freed_bytes = 0;  // blocks that came back with it
};

struct SharingReport {
  std::string journal;  // id for undo; empty: nothing to do
  std::vector<SharedFile> replaced;
  std::vector<LeftAlone> skipped;  // changed meanwhile, refused by the file system
  std::string stopped;             // why it ended early: the journal cannot be written; or empty
  uint64_t freed_bytes = 0;
};

/// Replaces what the plan names, one after the other; Ctrl-C ends it between two files.
/// `title` stands in the journal: "sync", "adopt /home/ann/models". `progress` gets files.
SharingReport apply_sharing(const SharingPlan& plan, const std::filesystem::path& journal_folder,
                            const std::string& title,
                            const std::function<void(int64_t done, int64_t total)>& progress = {});

}  // namespace toolkit::model_store

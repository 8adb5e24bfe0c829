#pragma once

#include <functional>
#include <optional>
#include <string>

#include "core/files/identity.h"
#include "core/model_store/inventory.h"
#include "core/store/database.h"

namespace toolkit::model_store {

/// sha256 of files that were read once, remembered by device, inode, size and mtime: a change of
/// any forgets it. A file younger than two seconds is not remembered (its time could stay the same
/// over another write); with a read-only database nothing is.
class HashMemory {
 public:
  explicit HashMemory(store::Database& database) : database_(database) {}
  std::optional<std::string> recall(const files::Identity& identity);
  void remember(const files::Identity& identity, const std::string& sha256);
  /// Recalled or computed, then remembered. `progress` gets bytes read of this file.
  std::string of(const std::filesystem::path& path,
                 const std::function<void(uint64_t done)>& progress = {});
  /// Drops what was remembered of inodes that `in_use` does not know. Returns how many.
  int forget_all_but(const std::function<bool(uint64_t device, uint64_t inode)>& in_use);

 private:
  store::Database& database_;
};

}  // namespace toolkit::model_store

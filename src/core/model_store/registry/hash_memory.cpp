#include "core/model_store/registry/hash_memory.h"

#include <chrono>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/hash/hasher.h"

namespace toolkit::model_store {

namespace {

constexpr int64_t kYoungNanoseconds = 2'000'000'000;

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

// Devices and inodes have 64 bits without sign, SQLite's integers have one: the bits are kept.
std::optional<std::string> HashMemory::recall(const files::Identity& identity) {
  store::Statement row = database_.prepare(
      "SELECT sha256 FROM file_hashes WHERE device = ? AND inode = ? AND size_bytes = ? AND "
      "mtime_ns = ?");
  row.bind(1, static_cast<int64_t>(identity.device))
      .bind(2, static_cast<int64_t>(identity.inode))
      .bind(3, static_cast<int64_t>(identity.size_bytes))
      .bind(4, identity.mtime_ns);
  return row.step() ? std::optional(row.text(0)) : std::nullopt;
}

void HashMemory::remember(const files::Identity& identity, const std::string& sha256) {
  if (database_.read_only() || now_ns() - identity.mtime_ns < kYoungNanoseconds) return;
  database_
      .prepare(
          "INSERT INTO file_hashes (device, inode, size_bytes, mtime_ns, sha256) VALUES (?, ?, ?, "
          "?, ?) ON CONFLICT (device, inode) DO UPDATE SET size_bytes = excluded.size_bytes, "
          "mtime_ns = excluded.mtime_ns, sha256 = excluded.sha256")
      .bind(1, static_cast<int64_t>(identity.device))
      .bind(2, static_cast<int64_t>(identity.inode))
      .bind(3, static_cast<int64_t>(identity.size_bytes))
      .bind(4, identity.mtime_ns)
      .bind(5, sha256)
      .run();
}

std::string HashMemory::of(const std::filesystem::path& path,
                           const std::function<void(uint64_t done)>& progress) {
  const auto before = files::resolved_identity(path);
  if (!before) fail(ErrorKind::kNotFound, "{}: no such file", path.string());
  if (const auto known = recall(*before)) {
    if (progress) progress(before->size_bytes);
    return *known;
  }
  const std::string sha256 = hash::hash_file(path, hash::Algorithm::kSha256, progress).hex;
  const auto after = files::resolved_identity(path);
  if (after && files::unchanged(*before, *after)) remember(*after, sha256);
  return sha256;
}

int HashMemory::forget_all_but(const std::function<bool(uint64_t device, uint64_t inode)>& in_use) {
  std::vector<std::pair<int64_t, int64_t>> gone;
  {
    store::Statement rows = database_.prepare("SELECT device, inode FROM file_hashes");
    while (rows.step())
      if (!in_use(static_cast<uint64_t>(rows.integer(0)), static_cast<uint64_t>(rows.integer(1))))
        gone.emplace_back(rows.integer(0), rows.integer(1));
  }
  store::Transaction transaction(database_);
  store::Statement remove =
      database_.prepare("DELETE FROM file_hashes WHERE device = ? AND inode = ?");
  for (const auto& [device, inode] : gone) remove.bind(1, device).bind(2, inode).run();
  transaction.commit();
  return static_cast<int>(gone.size());
}

}  // namespace toolkit::model_store

#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

struct stat;

namespace toolkit::files {

enum class FileKind { kFile, kFolder, kSymlink, kOther };

/// What the file system says of one name. Two names with equal device and inode are one file.
struct Identity {
  FileKind kind = FileKind::kFile;
  uint64_t device = 0, inode = 0;
  uint64_t size_bytes = 0;
  uint64_t allocated_bytes = 0;  // blocks really used: less than the size for sparse files
  int64_t mtime_ns = 0;          // since 1970
  uint32_t links = 0, mode = 0, user = 0, group = 0;  // mode: permission bits only
};

/// From what lstat, stat or fstat said.
Identity identity_of_status(const struct stat& status);

/// lstat: the name itself, a symlink is not followed. Empty if nothing is there; throws Error(kIo).
std::optional<Identity> identity_of(const std::filesystem::path& path);

/// stat: what the name leads to. Empty if nothing is there, a dangling or circular symlink
/// included.
std::optional<Identity> resolved_identity(const std::filesystem::path& path);

inline bool same_file(const Identity& a, const Identity& b) {
  return a.device == b.device && a.inode == b.inode;
}

/// Same file and, as far as the file system tells, same content: device, inode, size, mtime.
inline bool unchanged(const Identity& a, const Identity& b) {
  return same_file(a, b) && a.size_bytes == b.size_bytes && a.mtime_ns == b.mtime_ns;
}

}  // namespace toolkit::files

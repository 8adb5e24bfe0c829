#include "core/files/identity.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.h"

namespace toolkit::files {

namespace {

/// Linux calls it st_mtim, macOS st_mtimespec.
timespec modified(const auto& status) {
  if constexpr (requires { status.st_mtim; })
    return status.st_mtim;
  else
    return status.st_mtimespec;
}

FileKind kind_of(mode_t mode) {
  if (S_ISREG(mode)) return FileKind::kFile;
  if (S_ISDIR(mode)) return FileKind::kFolder;
  if (S_ISLNK(mode)) return FileKind::kSymlink;
  return FileKind::kOther;
}

std::optional<Identity> identity_from(int result, const struct stat& status,
                                      const std::filesystem::path& path) {
  if (result == 0) return identity_of_status(status);
  // ELOOP: symlinks that lead in a circle lead to nothing.
  if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return std::nullopt;
  fail(ErrorKind::kIo, "{}: cannot look at it: {}", path.string(), std::strerror(errno));
}

}  // namespace

Identity identity_of_status(const struct stat& status) {
  constexpr uint64_t kBlockBytes = 512;  // POSIX: st_blocks counts these, whatever st_blksize says
  constexpr int64_t kNanoseconds = 1'000'000'000;
  const timespec time = modified(status);
  return {.kind = kind_of(status.st_mode),
          .device = static_cast<uint64_t>(status.st_dev),
          .inode = static_cast<uint64_t>(status.st_ino),
          .size_bytes = static_cast<uint64_t>(status.st_size),
          .allocated_bytes = static_cast<uint64_t>(status.st_blocks) * kBlockBytes,
          .mtime_ns = static_cast<int64_t>(time.tv_sec) * kNanoseconds + time.tv_nsec,
          .links = static_cast<uint32_t>(status.st_nlink),
          .mode = static_cast<uint32_t>(status.st_mode & 07777),
          .user = status.st_uid,
          .group = status.st_gid};
}

std::optional<Identity> identity_of(const std::filesystem::path& path) {
  struct stat status{};
  const int result = ::lstat(path.c_str(), &status);
  return identity_from(result, status, path);
}

std::optional<Identity> resolved_identity(const std::filesystem::path& path) {
  struct stat status{};
  const int result = ::stat(path.c_str(), &status);
  return identity_from(result, status, path);
}

}  // namespace toolkit::files

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <new>
#include <optional>

#include "core/base/error.h"
#include "core/files/blocks.h"
#include "core/files/link.h"

namespace toolkit::files {

std::optional<uint64_t> place_on_volume(int file, uint64_t offset) {
  // The kernel writes the extent behind the header.
  alignas(fiemap) std::array<std::byte, sizeof(fiemap) + sizeof(fiemap_extent)> memory{};
  auto* map = new (memory.data()) fiemap();
  map->fm_start = offset;
  map->fm_length = 1;
  map->fm_flags = FIEMAP_FLAG_SYNC;
  map->fm_extent_count = 1;
  if (::ioctl(file, FS_IOC_FIEMAP, map) != 0 || map->fm_mapped_extents != 1) return std::nullopt;
  fiemap_extent extent;
  std::memcpy(&extent, memory.data() + sizeof(fiemap), sizeof extent);
  constexpr uint32_t kNoPlace = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC |
                                FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_DATA_TAIL;
  if ((extent.fe_flags & kNoPlace) != 0 || offset < extent.fe_logical) return std::nullopt;
  return extent.fe_physical + (offset - extent.fe_logical);
}

bool clone_file(const std::filesystem::path& source, const std::filesystem::path& target) {
  const int from = ::open(source.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (from < 0) fail(ErrorKind::kIo, "{}: cannot open: {}", source.string(), std::strerror(errno));
  struct stat status{};
  int to = -1, error = 0;
  if (::fstat(from, &status) == 0)
    to = ::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (to < 0) {
    error = errno;
    ::close(from);
    fail(ErrorKind::kIo, "{}: cannot make the file: {}", target.string(), std::strerror(error));
  }
  const bool cloned = ::ioctl(to, FICLONE, from) == 0 && ::fchmod(to, status.st_mode & 07777) == 0;
  error = errno;
  ::close(from);
  ::close(to);
  if (cloned) return true;
  ::unlink(target.c_str());
  // What file systems without shared blocks, two file systems and old kernels answer.
  if (error == EOPNOTSUPP || error == EXDEV || error == EINVAL || error == ENOTTY ||
      error == ENOSYS || error == EPERM || error == EISDIR)
    return false;
  fail(ErrorKind::kIo, "{}: cannot clone {}: {}", target.string(), source.string(),
       std::strerror(error));
}

}  // namespace toolkit::files

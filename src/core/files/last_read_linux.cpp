#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/files/last_read.h"

namespace toolkit::files {

namespace {

/// statfs(2): ext2 to ext4, XFS, btrfs, F2FS, bcachefs, ZFS, tmpfs. A network's file system serves
/// reads from memory without its server knowing; overlayfs keeps no times of its lower layers.
constexpr std::array<uint32_t, 7> kRecording = {0xEF53,     0x58465342, 0x9123683E, 0xF2F52010,
                                                0xCA451A4E, 0x2FC12FC1, 0x01021994};

}  // namespace

std::optional<int64_t> last_read_s(const std::filesystem::path& file) {
  struct statfs system{};
  struct stat status{};
  if (::statfs(file.c_str(), &system) != 0 || ::stat(file.c_str(), &status) != 0)
    return std::nullopt;
  if ((static_cast<unsigned long>(system.f_flags) & (ST_NOATIME | ST_RDONLY)) != 0)
    return std::nullopt;
  const auto type = static_cast<uint32_t>(system.f_type);
  if (std::find(kRecording.begin(), kRecording.end(), type) == kRecording.end())
    return std::nullopt;
  // Making and writing a file sets both.
  const auto read = std::pair(status.st_atim.tv_sec, status.st_atim.tv_nsec);
  return read > std::pair(status.st_mtim.tv_sec, status.st_mtim.tv_nsec) ? read.first : 0;
}

}  // namespace toolkit::files

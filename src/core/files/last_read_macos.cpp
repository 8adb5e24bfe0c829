#include <sys/mount.h>
#include <sys/stat.h>

#include <utility>

#include "core/files/last_read.h"

namespace toolkit::files {

std::optional<int64_t> last_read_s(const std::filesystem::path& file) {
  struct statfs system{};
  struct stat status{};
  if (::statfs(file.c_str(), &system) != 0 || ::stat(file.c_str(), &status) != 0)
    return std::nullopt;
  // Without strictatime APFS notes the first read after a write only.
  if ((system.f_flags & MNT_STRICTATIME) == 0 || (system.f_flags & (MNT_NOATIME | MNT_RDONLY)) != 0)
    return std::nullopt;
  // Making and writing a file sets both.
  const auto read = std::pair(status.st_atimespec.tv_sec, status.st_atimespec.tv_nsec);
  const auto written = std::pair(status.st_mtimespec.tv_sec, status.st_mtimespec.tv_nsec);
  return read > written ? read.first : 0;
}

}  // namespace toolkit::files

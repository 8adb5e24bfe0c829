#include "core/files/disk_space.h"

#include <sys/statvfs.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>

#include "core/base/error.h"

namespace toolkit::files {

namespace fs = std::filesystem;

DiskSpace disk_space(const fs::path& path) {
  fs::path place = path.empty() ? fs::path(".") : path;
  struct statvfs status{};
  while (::statvfs(place.c_str(), &status) != 0) {
    if (errno == EINTR) continue;
    const fs::path parent = place.has_parent_path() ? place.parent_path() : fs::path(".");
    if ((errno != ENOENT && errno != ENOTDIR) || parent == place)
      fail(ErrorKind::kIo, "{}: cannot ask for the free space: {}", path.string(),
           std::strerror(errno));
    place = parent;
  }
  const uint64_t block = status.f_frsize != 0 ? status.f_frsize : status.f_bsize;
  return {.free_bytes = static_cast<uint64_t>(status.f_bavail) * block,
          .total_bytes = static_cast<uint64_t>(status.f_blocks) * block,
          .read_only = (status.f_flag & ST_RDONLY) != 0};
}

void require_disk_space(const fs::path& path, uint64_t needed_bytes) {
  constexpr uint64_t kReserveBytes = uint64_t{256} << 20;  // a disk full to the last byte harms all
  const DiskSpace space = disk_space(path);
  if (space.read_only)
    fail(ErrorKind::kIo, "{}: the file system is read-only: nothing can be written there",
         path.string());
  if (needed_bytes > space.free_bytes || space.free_bytes - needed_bytes < kReserveBytes)
    fail(ErrorKind::kIo,
         "needs {} in {}, {} are free: free some space ('mlx-cache clean' shows what nobody uses; "
         "{} are kept free) or choose another disk ('mlx-cache config cache_dir <folder>')",
         shown_bytes(needed_bytes), path.string(), shown_bytes(space.free_bytes),
         shown_bytes(kReserveBytes));
}

std::string shown_bytes(uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  constexpr std::array<const char*, 6> kUnits = {"KB", "MB", "GB", "TB", "PB", "EB"};
  size_t unit = 0;
  double value = static_cast<double>(bytes) / 1000;
  // 999.5 would be shown as 1000.
  while (value >= 999.5 && unit + 1 < kUnits.size()) value /= 1000, ++unit;
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, decimals, kUnits[unit]);
}

uint64_t bytes_from_text(const std::string& text, const std::string& where) {
  static const std::map<std::string, double> kUnits = {
      {"", 1},         {"b", 1},        {"k", 1e3},      {"kb", 1e3},    {"m", 1e6},
      {"mb", 1e6},     {"g", 1e9},      {"gb", 1e9},     {"t", 1e12},    {"tb", 1e12},
      {"kib", 0x1p10}, {"mib", 0x1p20}, {"gib", 0x1p30}, {"tib", 0x1p40}};
  char* end = nullptr;
  const double number = text.empty() || std::isspace(static_cast<unsigned char>(text[0]))
                            ? -1
                            : std::strtod(text.c_str(), &end);
  const bool no_number = end == nullptr || end == text.c_str();
  std::string unit;
  if (!no_number)
    for (; *end != '\0'; ++end)
      if (*end != ' ') unit += static_cast<char>(std::tolower(static_cast<unsigned char>(*end)));
  const auto found = kUnits.find(unit);
  if (no_number || found == kUnits.end() || !(number >= 0) || number * found->second > 1e18)
    fail(ErrorKind::kUserInput, "{}: expected a size such as 10GB, 512MB or 8GiB, found '{}'",
         where, text);
  return static_cast<uint64_t>(number * found->second);
}

}  // namespace toolkit::files

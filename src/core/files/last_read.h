#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace toolkit::files {

/// When a file's content was last read, in seconds since 1970, symlinks followed: its access time;
/// 0 when not since it was written. A read less than a day after the one before may be missing
/// (Linux's relatime, the default). Empty where nothing is there, and where the disk does not
/// record reads or is not known to: a mount with noatime or read-only, a network's or a layered
/// file system, a Mac's APFS unless it is mounted strictatime.
std::optional<int64_t> last_read_s(const std::filesystem::path& file);

}  // namespace toolkit::files

#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace toolkit::files {

struct DiskSpace {
  uint64_t free_bytes = 0;  // for this user
  uint64_t total_bytes = 0;
  bool read_only = false;
};

/// Of the file system that `path`, or its nearest existing parent, lies on. Throws Error(kIo).
DiskSpace disk_space(const std::filesystem::path& path);

/// Throws Error(kIo) "needs 12.4 GB in <path>, 3.1 GB are free: ..." unless `needed_bytes` and a
/// reserve of 256 MiB are free, or when the file system is read-only.
void require_disk_space(const std::filesystem::path& path, uint64_t needed_bytes);

/// "12.4 GB", "873 MB", "512 B": decimal units, three digits, as disks are sold.
std::string shown_bytes(uint64_t bytes);

/// "10GB", "512 MB", "8GiB" or a number of bytes. Throws Error(kUserInput) "where: expected ...,
/// found ...".
uint64_t bytes_from_text(const std::string& text, const std::string& where);

}  // namespace toolkit::files

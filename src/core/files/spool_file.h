#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace toolkit::files {

/// Bytes that are too many for memory: written once from begin to end, then read at any place. The
/// file has no name, so nothing is left of it however the program ends.
class SpoolFile {
 public:
  /// In `folder`, which must exist. Throws Error(kIo).
  explicit SpoolFile(const std::filesystem::path& folder);
  ~SpoolFile();
  SpoolFile(const SpoolFile&) = delete;
  SpoolFile& operator=(const SpoolFile&) = delete;

  /// Throws Error(kIo) with the reason, such as a full disk.
  void append(std::span<const uint8_t> bytes);

  /// All that was written, mapped read-only: the system reads pages when they are looked at and may
  /// drop them again. Valid as long as a copy of the pointer; null if nothing was written. Throws
  /// Error(kIo).
  std::shared_ptr<const void> map() const;

 private:
  std::filesystem::path folder_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
};

}  // namespace toolkit::files

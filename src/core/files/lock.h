#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>

namespace toolkit::files {

enum class LockMode { kShared, kExclusive };

/// A lock between processes: flock on a file that stays (it is never removed, so no two processes
/// can hold different files of one name). Freed by the kernel when the process ends, however it
/// ends.
class FileLock {
 public:
  /// Waits until `patience` is over, then throws Error(kIo) naming the holder (process id and what
  /// it does, which the holder wrote into the file). `waiting` is called once if it has to wait.
  static FileLock take(const std::filesystem::path& path, LockMode mode, const std::string& purpose,
                       std::chrono::milliseconds patience = std::chrono::hours(24),
                       const std::function<void(const std::string& holder)>& waiting = {});
  /// At once or not at all: `held()` tells.
  static FileLock try_take(const std::filesystem::path& path, LockMode mode,
                           const std::string& purpose);
  ~FileLock();
  FileLock(FileLock&&) noexcept;
  FileLock& operator=(FileLock&&) noexcept;
  bool held() const { return descriptor_ >= 0; }

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace toolkit::files

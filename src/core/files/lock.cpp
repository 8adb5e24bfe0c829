#include "core/files/lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/files/safe_path.h"

namespace toolkit::files {

namespace fs = std::filesystem;

namespace {

/// A read-only store can still be locked: flock asks for no right to write.
int open_lock_file(const fs::path& path) {
  constexpr int kFlags = O_CLOEXEC | O_NOFOLLOW;
  int file = ::open(path.c_str(), O_RDWR | O_CREAT | kFlags, 0644);
  if (file < 0 && (errno == EROFS || errno == EACCES || errno == EPERM)) {
    const int first_error = errno;
    file = ::open(path.c_str(), O_RDONLY | kFlags);
    if (file < 0) errno = first_error;
  }
  if (file < 0)
    fail(ErrorKind::kIo, "{}: cannot open the lock file: {}", path.string(), std::strerror(errno));
  return file;
}

/// Who wrote itself into the file last: "process 4711 (add hf://org/model)".
std::string holder_in(int file) {
  std::array<char, 512> text{};
  const ssize_t count = ::pread(file, text.data(), text.size(), 0);
  std::string_view line(text.data(), count > 0 ? static_cast<size_t>(count) : 0);
  line = line.substr(0, line.find('\n'));
  long process = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), process);
  if (error != std::errc() || process <= 0) return "another process";
  // Of several shared holders the last one's name may outlive it.
  if (::kill(static_cast<pid_t>(process), 0) != 0 && errno == ESRCH) return "another process";
  const std::string purpose = escaped(line.substr(static_cast<size_t>(end - line.data())));
  return fmt::format("process {}{}", process,
                     purpose.empty() ? "" : " (" + purpose.substr(1) + ")");
}

/// True when the lock was got, false when another process holds it.
bool lock_now(int file, LockMode mode, const fs::path& path) {
  const int wanted = (mode == LockMode::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  while (::flock(file, wanted) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) return false;
    fail(ErrorKind::kIo, "{}: the file system gives no locks: {}", path.string(),
         std::strerror(errno));
  }
  return true;
}

void write_holder(int file, const std::string& purpose) {
  const std::string line = fmt::format("{} {}\n", ::getpid(), purpose);
  // For people only; a file that cannot be written is still locked.
  if (::ftruncate(file, 0) == 0) (void)!::pwrite(file, line.data(), line.size(), 0);
}

}  // namespace

FileLock FileLock::take(const fs::path& path, LockMode mode, const std::string& purpose,
                        std::chrono::milliseconds patience,
                        const std::function<void(const std::string& holder)>& waiting) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kFirstPause(5), kLongestPause(200);
  FileLock lock(open_lock_file(path));
  const Clock::time_point end = Clock::now() + patience;
  std::chrono::milliseconds pause = kFirstPause;
  for (bool told = false; !lock_now(lock.descriptor_, mode, path); told = true) {
    if (!told && waiting) waiting(holder_in(lock.descriptor_));
    if (InterruptGuard::requested())
      fail(ErrorKind::kIo, "{}: stopped while waiting for {}", path.string(),
           holder_in(lock.descriptor_));
    if (Clock::now() >= end)
      fail(ErrorKind::kIo, "{}: held by {} for longer than this command waits; try again later",
           path.string(), holder_in(lock.descriptor_));
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, kLongestPause);
  }
  write_holder(lock.descriptor_, purpose);
  return lock;
}

FileLock FileLock::try_take(const fs::path& path, LockMode mode, const std::string& purpose) {
  FileLock lock(open_lock_file(path));
  if (lock_now(lock.descriptor_, mode, path)) {
    write_holder(lock.descriptor_, purpose);
  } else {
    ::close(std::exchange(lock.descriptor_, -1));
  }
  return lock;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

}  // namespace toolkit::files

#include "core/base/atomic_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <string>

#include "core/base/error.h"

namespace toolkit {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kTemporaryMark = ".part-";

std::string human_size(double bytes) {
  constexpr const char* kUnits[] = {"bytes", "KB", "MB", "GB", "TB"};
  int unit = 0;
  while (bytes >= 1000 && unit < 4) bytes /= 1000, ++unit;
  return unit == 0 ? fmt::format("{:.0f} {}", bytes, kUnits[unit])
                   : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

[[noreturn]] void fail_errno(const fs::path& path, const char* doing, uint64_t needed) {
  const int error = errno;
  if (error == ENOSPC || error == EDQUOT) {
    std::error_code ignored;
    const fs::space_info space =
        fs::space(path.has_parent_path() ? path.parent_path() : ".", ignored);
    fail(ErrorKind::kIo,
         "{}: the disk is full: at least {} are needed, {} are free. Free some space or choose "
         "another folder; what was there before is unchanged",
         path.string(), human_size(static_cast<double>(needed)),
         ignored ? std::string("few bytes") : human_size(static_cast<double>(space.available)));
  }
  fail(ErrorKind::kIo, "{}: cannot {}: {}", path.string(), doing, std::strerror(error));
}

/// `.model.json.part-<process>-<number>`: hidden, and recognisable after a crash.
fs::path temporary_path(const fs::path& path) {
  static std::atomic<unsigned> counter{0};
  return path.parent_path() / fmt::format(".{}{}{}-{}", path.filename().string(), kTemporaryMark,
                                          ::getpid(), counter.fetch_add(1));
}

/// Removes what a killed process left of earlier attempts at the same file.
void remove_leftovers(const fs::path& path) {
  const std::string prefix = "." + path.filename().string() + std::string(kTemporaryMark);
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(prefix)) continue;
    long process = 0;
    const char* first = name.data() + prefix.size();
    const auto parsed = std::from_chars(first, name.data() + name.size(), process);
    if (parsed.ec != std::errc() || process <= 0) continue;
    const bool gone = ::kill(static_cast<pid_t>(process), 0) != 0 && errno == ESRCH;
    std::error_code ignored;
    if (gone) fs::remove(entry->path(), ignored);
  }
}

void sync_file(int file, const fs::path& path, uint64_t written) {
#ifdef F_FULLFSYNC
  if (::fcntl(file, F_FULLFSYNC) == 0) return;  // macOS: fsync alone stops at the drive's cache
#endif
  if (::fsync(file) != 0 && errno != EINVAL && errno != ENOTSUP) fail_errno(path, "write", written);
}

void sync_folder(const fs::path& folder) {
  const int file =
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;  // some network file systems cannot open folders; the rename itself stands
  ::fsync(file);
  ::close(file);
}

/// The new content under its temporary name; gone again unless `commit` was reached.
class TemporaryFile {
 public:
  explicit TemporaryFile(const fs::path& target) : target_(target), path_(temporary_path(target)) {
    file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file_ < 0) fail_errno(target_, "create a file there", 0);
    struct stat old{};
    if (::stat(target_.c_str(), &old) == 0) (void)!::fchmod(file_, old.st_mode & 07777);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (file_ >= 0) ::close(file_);
    if (!committed_) ::unlink(path_.c_str());
  }

  void append(std::string_view bytes) {
    const uint64_t needed = written_ + bytes.size();
    while (!bytes.empty()) {
      const ssize_t count = ::write(file_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail_errno(target_, "write", needed);
      bytes.remove_prefix(static_cast<size_t>(count));
      written_ += static_cast<uint64_t>(count);
    }
  }

  void commit() {
    sync_file(file_, target_, written_);
    const int file = std::exchange(file_, -1);
    if (::close(file) != 0) fail_errno(target_, "write", written_);
    if (::rename(path_.c_str(), target_.c_str()) != 0) fail_errno(target_, "replace", written_);
    committed_ = true;
    sync_folder(target_.parent_path());
  }

 private:
  fs::path target_, path_;
  int file_ = -1;
  uint64_t written_ = 0;
  bool committed_ = false;
};

}  // namespace

void write_file_atomically(const fs::path& path, std::string_view content) {
  write_file_atomically(path, [&](const auto& append) { append(content); });
}

void write_file_atomically(
    const fs::path& path,
    const std::function<void(const std::function<void(std::string_view)>&)>& write) {
  remove_leftovers(path);
  TemporaryFile file(path);
  write([&](std::string_view bytes) { file.append(bytes); });
  file.commit();
}

std::string read_file(const fs::path& path, size_t limit_bytes) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) fail(ErrorKind::kNotFound, "{}: no such file", path.string());
  if (fs::is_directory(status))
    fail(ErrorKind::kUserInput, "{}: expected a file, found a folder", path.string());
  std::ifstream file(path, std::ios::binary);
  if (!file) fail(ErrorKind::kIo, "{}: cannot open: {}", path.string(), std::strerror(errno));
  // Read in pieces instead of trusting a size: pipes and growing files have none.
  std::string text;
  char piece[1 << 16];
  while (file.read(piece, sizeof piece), file.gcount() > 0) {
    text.append(piece, static_cast<size_t>(file.gcount()));
    if (text.size() > limit_bytes)
      fail(ErrorKind::kUserInput, "{}: expected at most {}, found more", path.string(),
           human_size(static_cast<double>(limit_bytes)));
  }
  if (file.bad()) fail(ErrorKind::kIo, "{}: cannot read: {}", path.string(), std::strerror(errno));
  return text;
}

}  // namespace toolkit

#include "core/checkpoint/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/error.h"

namespace toolkit::checkpoint {

InputFile::InputFile(const std::filesystem::path& path) : name_(path.string()) {
  // O_NONBLOCK: opening a pipe must not wait for a writer that never comes.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) {
    const int reason = errno;
    if (reason == ENOENT || reason == ENOTDIR)
      fail(ErrorKind::kNotFound, "{}: no such file", name_);
    fail(ErrorKind::kIo, "{}: cannot be opened: {}", name_, std::strerror(reason));
  }
  struct stat status = {};
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    fail(ErrorKind::kUserInput, "{}: expected a regular file, found a folder, pipe or device",
         name_);
  }
  size_ = static_cast<uint64_t>(status.st_size);
}

InputFile::~InputFile() {
  ::close(descriptor_);
}

void InputFile::read(uint64_t offset, void* to, uint64_t count) const {
  constexpr uint64_t kMostAtOnce = uint64_t{1} << 30;  // some systems refuse more than 2 GiB
  auto* bytes = static_cast<uint8_t*>(to);
  uint64_t done = 0;
  while (done < count) {
    const auto step = static_cast<size_t>(std::min(count - done, kMostAtOnce));
    const ssize_t got = ::pread(descriptor_, bytes + done, step, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      fail(ErrorKind::kIo, "{}: reading at byte {} failed: {}", name_, offset + done,
           std::strerror(errno));
    if (got == 0)
      fail(
          ErrorKind::kUserInput,
          "{}: expected {} bytes at byte {}, the file ends after {} of them; was it changed or cut "
          "while it was read? Copy or download it again",
          name_, count, offset, done);
    done += static_cast<uint64_t>(got);
  }
}

std::string read_text(const std::filesystem::path& path, uint64_t limit_bytes) {
  const InputFile file(path);
  if (file.size() > limit_bytes)
    fail(ErrorKind::kUserInput, "{}: expected at most {} bytes, found {}", file.name(), limit_bytes,
         file.size());
  std::string text(file.size(), '\0');
  file.read(0, text.data(), text.size());
  return text;
}

}  // namespace toolkit::checkpoint

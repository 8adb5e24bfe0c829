#include "core/files/spool_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/base/error.h"

namespace toolkit::files {

namespace {

[[noreturn]] void fail_in(const std::filesystem::path& folder, const char* what) {
  fail(ErrorKind::kIo, "{}: cannot {} a temporary file here: {}", folder.string(), what,
       std::strerror(errno));
}

}  // namespace

SpoolFile::SpoolFile(const std::filesystem::path& folder) : folder_(folder) {
  std::string name = (folder / ".spool-XXXXXX").string();
  descriptor_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor_ < 0) fail_in(folder_, "make");
  if (::unlink(name.c_str()) != 0) {
    ::close(descriptor_);
    fail_in(folder_, "unname");
  }
}

SpoolFile::~SpoolFile() {
  ::close(descriptor_);
}

void SpoolFile::append(std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_in(folder_, "write");
    size_ += static_cast<uint64_t>(written);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

std::shared_ptr<const void> SpoolFile::map() const {
  if (size_ == 0) return nullptr;
  void* data = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor_, 0);
  if (data == MAP_FAILED) fail_in(folder_, "map");
  return {data, [size = size_](void* mapped) { ::munmap(mapped, size); }};
}

}  // namespace toolkit::files

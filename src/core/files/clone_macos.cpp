#include <fcntl.h>
#include <sys/attr.h>
#include <sys/clonefile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "core/base/error.h"
#include "core/files/link.h"

namespace toolkit::files {

namespace {

/// Where the byte at `offset` lies on the volume; empty where that cannot be said.
std::optional<off_t> place_on_volume(int file, off_t offset) {
  struct log2phys query{};
  query.l2p_contigbytes = 1;
  query.l2p_devoffset = offset;
  if (::fcntl(file, F_LOG2PHYS_EXT, &query) != 0) return std::nullopt;
  return query.l2p_devoffset;
}

}  // namespace

bool share_blocks(const std::filesystem::path& a, const std::filesystem::path& b) {
  const int first = ::open(a.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  const int second = ::open(b.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat one{}, two{};
  bool shared = first >= 0 && second >= 0 && ::fstat(first, &one) == 0 &&
                ::fstat(second, &two) == 0 && one.st_dev == two.st_dev &&
                one.st_size == two.st_size && one.st_size > 0;
  for (const off_t offset : {off_t{0}, one.st_size / 2, one.st_size - 1}) {
    if (!shared) break;
    const auto place = place_on_volume(first, offset);
    shared = place && place == place_on_volume(second, offset);
  }
  if (first >= 0) ::close(first);
  if (second >= 0) ::close(second);
  return shared;
}

bool clone_file(const std::filesystem::path& source, const std::filesystem::path& target) {
  if (::clonefile(source.c_str(), target.c_str(), 0) == 0) return true;
  if (errno == ENOTSUP || errno == EXDEV || errno == EINVAL || errno == EPERM) return false;
  fail(ErrorKind::kIo, "{}: cannot clone {}: {}", target.string(), source.string(),
       std::strerror(errno));
}

}  // namespace toolkit::files

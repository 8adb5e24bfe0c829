#include <fcntl.h>
#include <sys/attr.h>
#include <sys/clonefile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "core/base/error.h"
#include "core/files/blocks.h"
#include "core/files/link.h"

namespace toolkit::files {

std::optional<uint64_t> place_on_volume(int file, uint64_t offset) {
  struct log2phys query{};
  query.l2p_contigbytes = 1;
  query.l2p_devoffset = static_cast<off_t>(offset);
  if (::fcntl(file, F_LOG2PHYS_EXT, &query) != 0) return std::nullopt;
  return static_cast<uint64_t>(query.l2p_devoffset);
}

bool clone_file(const std::filesystem::path& source, const std::filesystem::path& target) {
  if (::clonefile(source.c_str(), target.c_str(), 0) == 0) return true;
  if (errno == ENOTSUP || errno == EXDEV || errno == EINVAL || errno == EPERM) return false;
  fail(ErrorKind::kIo, "{}: cannot clone {}: {}", target.string(), source.string(),
       std::strerror(errno));
}

}  // namespace toolkit::files

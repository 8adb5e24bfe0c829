#include <sys/attr.h>
#include <sys/clonefile.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.h"
#include "core/files/link.h"

namespace toolkit::files {

bool clone_file(const std::filesystem::path& source, const std::filesystem::path& target) {
  if (::clonefile(source.c_str(), target.c_str(), 0) == 0) return true;
  if (errno == ENOTSUP || errno == EXDEV || errno == EINVAL || errno == EPERM) return false;
  fail(ErrorKind::kIo, "{}: cannot clone {}: {}", target.string(), source.string(),
       std::strerror(errno));
}

}  // namespace toolkit::files

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.h"
#include "core/files/link.h"

namespace toolkit::files {

bool clone_file(const std::filesystem::path& source, const std::filesystem::path& target) {
  const int from = ::open(source.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (from < 0) fail(ErrorKind::kIo, "{}: cannot open: {}", source.string(), std::strerror(errno));
  struct stat status{};
  int to = -1, error = 0;
  if (::fstat(from, &status) == 0)
    to = ::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (to < 0) {
    error = errno;
    ::close(from);
    fail(ErrorKind::kIo, "{}: cannot make the file: {}", target.string(), std::strerror(error));
  }
  const bool cloned = ::ioctl(to, FICLONE, from) == 0 && ::fchmod(to, status.st_mode & 07777) == 0;
  error = errno;
  ::close(from);
  ::close(to);
  if (cloned) return true;
  ::unlink(target.c_str());
  // What file systems without shared blocks, two file systems and old kernels answer.
  if (error == EOPNOTSUPP || error == EXDEV || error == EINVAL || error == ENOTTY ||
      error == ENOSYS || error == EPERM || error == EISDIR)
    return false;
  fail(ErrorKind::kIo, "{}: cannot clone {}: {}", target.string(), source.string(),
       std::strerror(error));
}

}  // namespace toolkit::files

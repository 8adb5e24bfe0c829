#include "core/files/link.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "core/base/error.h"
#include "core/files/blocks.h"
#include "core/files/folder.h"
#include "core/files/identity.h"

namespace toolkit::files {

namespace fs = std::filesystem;

namespace {

struct Descriptor {
  int number = -1;
  explicit Descriptor(int opened) : number(opened) {}
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
};

[[noreturn]] void fail_errno(const fs::path& path, const char* doing) {
  fail(ErrorKind::kIo, "{}: cannot {}: {}", path.string(), doing, std::strerror(errno));
}

/// Errors that say "not this way here" and not "something is wrong".
bool means_try_next(int error) {
  return error == EXDEV || error == ENOTSUP || error == EOPNOTSUPP || error == EMLINK ||
         error == EPERM || error == EACCES || error == EINVAL || error == ENOSYS;
}

std::string why_not(int error) {
  switch (error) {
    case EXDEV:
      return "other volume (EXDEV)";
    case EMLINK:
      return "too many names already (EMLINK)";
    case EPERM:
    case EACCES:
      return fmt::format("not allowed ({})", error == EPERM ? "EPERM" : "EACCES");
    default:
      return fmt::format("the file system has none ({})", std::strerror(error));
  }
}

/// "" when made, else why the next kind is to be tried.
std::string make_hard_link(const fs::path& source, const fs::path& target) {
  if (::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, target.c_str(), AT_SYMLINK_FOLLOW) != 0) {
    if (!means_try_next(errno)) fail_errno(target, "make a hard link");
    return why_not(errno);
  }
  const auto from = resolved_identity(source), to = identity_of(target);
  if (from && to && same_file(*from, *to)) return "";
  ::unlink(target.c_str());
  return "the file system made another file of it";
}

std::string make_clone(const fs::path& source, const fs::path& target) {
  return clone_file(source, target) ? "" : "the file system cannot share blocks";
}

std::string make_symlink(const fs::path& source, const fs::path& target, const fs::path& below) {
  const fs::path from = fs::absolute(source).lexically_normal();
  const fs::path to = fs::absolute(target).lexically_normal();
  fs::path content = from;
  if (!below.empty()) {
    const fs::path root = fs::absolute(below).lexically_normal();
    const auto lies_below = [&](const fs::path& path) {
      const fs::path relative = path.lexically_relative(root);
      return !relative.empty() && *relative.begin() != "..";
    };
    if (lies_below(from) && lies_below(to)) content = from.lexically_relative(to.parent_path());
  }
  if (::symlink(content.c_str(), target.c_str()) == 0) return "";
  if (!means_try_next(errno)) fail_errno(target, "make a symlink");
  return why_not(errno);
}

void copy_bytes(int from, int to, const fs::path& source, const fs::path& target) {
  std::vector<char> piece(size_t{1} << 20);
  for (;;) {
    const ssize_t count = ::read(from, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_errno(source, "read");
    if (count == 0) return;
    for (ssize_t at = 0; at < count;) {
      const ssize_t written = ::write(to, piece.data() + at, static_cast<size_t>(count - at));
      if (written < 0 && errno != EINTR) fail_errno(target, "write");
      if (written > 0) at += written;
    }
  }
}

std::string make_copy(const fs::path& source, const fs::path& target) {
  const Descriptor from(::open(source.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status{};
  if (from.number < 0 || ::fstat(from.number, &status) != 0) fail_errno(source, "open");
  if (!S_ISREG(status.st_mode))
    fail(ErrorKind::kIo, "{}: expected a regular file, found something else", source.string());
  const Descriptor to(::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (to.number < 0) fail_errno(target, "make the file");
  try {
    copy_bytes(from.number, to.number, source, target);
    struct stat made{};
    if (::fchmod(to.number, status.st_mode & 07777) != 0 || ::fstat(to.number, &made) != 0)
      fail_errno(target, "finish the copy");
    if (made.st_size != status.st_size)
      fail(ErrorKind::kIo, "{}: changed while it was copied", source.string());
    sync_file(to.number, target);
  } catch (...) {
    ::unlink(target.c_str());
    throw;
  }
  return "";
}

std::string make_one(LinkKind kind, const fs::path& source, const fs::path& target,
                     const fs::path& below) {
  switch (kind) {
    case LinkKind::kHardLink:
      return make_hard_link(source, target);
    case LinkKind::kClone:
      return make_clone(source, target);
    case LinkKind::kSymlink:
      return make_symlink(source, target, below);
    case LinkKind::kCopy:
      return make_copy(source, target);
  }
  fail(ErrorKind::kInternal, "make_link: unknown kind");
}

}  // namespace

const char* link_kind_name(LinkKind kind) {
  switch (kind) {
    case LinkKind::kHardLink:
      return "hard link";
    case LinkKind::kClone:
      return "clone";
    case LinkKind::kSymlink:
      return "symlink";
    case LinkKind::kCopy:
      return "copy";
  }
  fail(ErrorKind::kInternal, "link_kind_name: unknown kind");
}

LinkOutcome make_link(const fs::path& source, const fs::path& target, const LinkPolicy& policy,
                      const fs::path& relative_below) {
  if (identity_of(target))
    fail(ErrorKind::kIo, "{}: there is something already; nothing was replaced", target.string());
  if (!resolved_identity(source)) fail(ErrorKind::kIo, "{}: no such file", source.string());
  LinkOutcome outcome;
  for (const LinkKind kind : policy) {
    const std::string why = make_one(kind, source, target, relative_below);
    if (why.empty()) {
      outcome.kind = kind;
      return outcome;
    }
    outcome.reason +=
        fmt::format("{}{}: {}", outcome.reason.empty() ? "" : "; ", link_kind_name(kind), why);
  }
  fail(ErrorKind::kIo, "{}: cannot share the content of {}: {}", target.string(), source.string(),
       outcome.reason.empty() ? "no kind of link is allowed there" : outcome.reason);
}

bool share_blocks(const fs::path& a, const fs::path& b) {
  const Descriptor first(::open(a.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  const Descriptor second(::open(b.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat one{}, two{};
  if (first.number < 0 || second.number < 0 || ::fstat(first.number, &one) != 0 ||
      ::fstat(second.number, &two) != 0 || one.st_dev != two.st_dev || one.st_size != two.st_size ||
      one.st_size == 0)
    return false;
  const auto size = static_cast<uint64_t>(one.st_size);
  for (const uint64_t offset : {uint64_t{0}, size / 2, size - 1}) {
    const auto place = place_on_volume(first.number, offset);
    if (!place || place != place_on_volume(second.number, offset)) return false;
  }
  return true;
}

bool can_link(const fs::path& from_folder, const fs::path& to_folder, LinkKind kind) {
  const fs::path source = from_folder / temporary_name(), target = to_folder / temporary_name();
  const Descriptor made(::open(source.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (made.number < 0) return false;
  bool linked = false;
  try {
    make_link(source, target, {kind});
    linked = true;
  } catch (const Error&) {
    // The question was whether it can be done.
  }
  ::unlink(target.c_str());
  ::unlink(source.c_str());
  return linked;
}

}  // namespace toolkit::files

#include "core/files/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <random>
#include <utility>

#include "core/base/error.h"
#include "core/files/safe_path.h"

namespace toolkit::files {

namespace fs = std::filesystem;

namespace {

constexpr int kOpenFolder = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
constexpr mode_t kFolderMode = 0755;

[[noreturn]] void fail_errno(const fs::path& path, const char* doing) {
  const int error = errno;
  if (error == ELOOP || error == ENOTDIR)
    fail(ErrorKind::kUserInput,
         "{}: cannot {}: a symlink or a file stands where a folder was expected; nothing was "
         "followed or touched",
         escaped(path.string()), doing);
  fail(ErrorKind::kIo, "{}: cannot {}: {}", escaped(path.string()), doing, std::strerror(error));
}

void check_own_path(std::string_view relative, const fs::path& folder) {
  const std::string why = why_unsafe_own_path(relative);
  if (!why.empty())
    fail(ErrorKind::kUserInput, "{}: file name '{}': {}", folder.string(), escaped(relative),
         escaped(why));
}

/// Opens the folder `part` below `descriptor`; makes it when missing and `create`.
int open_part(int descriptor, const std::string& part, bool create, const fs::path& shown) {
  for (int attempt = 0;; ++attempt) {
    const int opened = ::openat(descriptor, part.c_str(), kOpenFolder | O_NOFOLLOW);
    if (opened >= 0) return opened;
    if (errno != ENOENT || !create || attempt > 0) fail_errno(shown, "open the folder");
    // EEXIST: another process was quicker.
    if (::mkdirat(descriptor, part.c_str(), kFolderMode) != 0 && errno != EEXIST)
      fail_errno(shown, "make the folder");
  }
}

void make_folders(const fs::path& path) {
  if (path.empty() || ::mkdir(path.c_str(), kFolderMode) == 0 || errno == EEXIST) return;
  if (errno == ENOENT && path.has_parent_path() && path.parent_path() != path) {
    make_folders(path.parent_path());
    if (::mkdir(path.c_str(), kFolderMode) == 0 || errno == EEXIST) return;
  }
  fail_errno(path, "make the folder");
}

struct CloseListing {
  void operator()(DIR* listing) const { ::closedir(listing); }
};

/// Empties an open folder; closes the descriptor.
void remove_entries(int descriptor, const fs::path& path, int depth) {
  constexpr int kDeepest = 256;
  const std::unique_ptr<DIR, CloseListing> listing(::fdopendir(descriptor));
  if (!listing) {
    ::close(descriptor);
    fail_errno(path, "list the folder");
  }
  if (depth > kDeepest)
    fail(ErrorKind::kIo, "{}: more than {} folders in each other", escaped(path.string()),
         kDeepest);
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    // First as a folder: O_NOFOLLOW makes a symlink fail, which then is unlinked itself.
    const int inner = ::openat(descriptor, name.c_str(), kOpenFolder | O_NOFOLLOW);
    if (inner >= 0) remove_entries(inner, path / name, depth + 1);
    if (::unlinkat(descriptor, name.c_str(), inner >= 0 ? AT_REMOVEDIR : 0) != 0 && errno != ENOENT)
      fail_errno(path / name, "remove it");
  }
}

}  // namespace

struct Folder::Place {
  Folder folder;
  std::string name;
  fs::path shown() const { return folder.path() / name; }
};

Folder Folder::open(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), kOpenFolder);
  if (descriptor < 0) fail_errno(path, "open the folder");
  return {descriptor, path};
}

Folder Folder::open_or_create(const fs::path& path) {
  make_folders(path);
  return open(path);
}

Folder::~Folder() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Folder::Folder(Folder&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

Folder& Folder::operator=(Folder&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(path_, other.path_);
  return *this;
}

Folder::Place Folder::place_of(std::string_view relative, bool create) const {
  check_own_path(relative, path_);
  const int copy = ::fcntl(descriptor_, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) fail_errno(path_, "open the folder");
  Place place{Folder(copy, path_), {}};
  for (size_t slash = relative.find('/'); slash != std::string_view::npos;
       slash = relative.find('/')) {
    const std::string part(relative.substr(0, slash));
    const fs::path shown = place.folder.path_ / part;
    place.folder = Folder(open_part(place.folder.descriptor_, part, create, shown), shown);
    relative.remove_prefix(slash + 1);
  }
  place.name = relative;
  return place;
}

Folder Folder::subfolder(std::string_view relative, bool create) const {
  const Place place = place_of(relative, create);
  return {open_part(place.folder.descriptor_, place.name, create, place.shown()), place.shown()};
}

std::optional<Identity> Folder::find(std::string_view relative) const {
  // A missing folder above is "not there" as well; a symlink there stays an error.
  const size_t slash = relative.rfind('/');
  if (slash != std::string_view::npos) {
    check_own_path(relative, path_);
    const auto above = find(relative.substr(0, slash));
    if (!above) return std::nullopt;
  }
  const Place place = place_of(relative, false);
  struct stat status{};
  if (::fstatat(place.folder.descriptor_, place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
    return identity_of_status(status);
  if (errno == ENOENT) return std::nullopt;
  fail_errno(place.shown(), "look at it");
}

int Folder::open_file(std::string_view relative) const {
  const Place place = place_of(relative, false);
  const int file = ::openat(place.folder.descriptor_, place.name.c_str(),
                            O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (file < 0) fail_errno(place.shown(), "open it");
  struct stat status{};
  if (::fstat(file, &status) == 0 && S_ISREG(status.st_mode)) return file;
  ::close(file);
  fail(ErrorKind::kUserInput, "{}: expected a regular file, found something else",
       escaped(place.shown().string()));
}

int Folder::create_file(std::string_view relative) const {
  const Place place = place_of(relative, true);
  const int file = ::openat(place.folder.descriptor_, place.name.c_str(),
                            O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) fail_errno(place.shown(), "make the file");
  return file;
}

void Folder::rename(std::string_view from, std::string_view to) const {
  const Place source = place_of(from, false), target = place_of(to, false);
  if (::renameat(source.folder.descriptor_, source.name.c_str(), target.folder.descriptor_,
                 target.name.c_str()) != 0)
    fail_errno(target.shown(), "rename to it");
  target.folder.sync();
  source.folder.sync();
}

bool Folder::remove_file(std::string_view relative) const {
  const Place place = place_of(relative, false);
  if (::unlinkat(place.folder.descriptor_, place.name.c_str(), 0) == 0) return true;
  if (errno == ENOENT) return false;
  fail_errno(place.shown(), "remove it");
}

void Folder::remove_tree(std::string_view relative) const {
  const auto what = find(relative);
  if (!what) return;
  const Place place = place_of(relative, false);
  if (what->kind == FileKind::kFolder)
    remove_entries(open_part(place.folder.descriptor_, place.name, false, place.shown()),
                   place.shown(), 0);
  if (::unlinkat(place.folder.descriptor_, place.name.c_str(),
                 what->kind == FileKind::kFolder ? AT_REMOVEDIR : 0) != 0 &&
      errno != ENOENT)
    fail_errno(place.shown(), "remove it");
}

void Folder::sync() const {
  sync_file(descriptor_, path_);
}

Folder::Folder(int descriptor, fs::path path) : descriptor_(descriptor), path_(std::move(path)) {}

std::string temporary_name() {
  std::random_device random;
  const uint64_t high = random(), low = random();
  return fmt::format("{}{:016x}", kTemporaryPrefix, (high << 32) ^ low);
}

void sync_file(int descriptor, const fs::path& path) {
#ifdef F_FULLFSYNC
  if (::fcntl(descriptor, F_FULLFSYNC) == 0) return;  // fsync alone stops at the drive's cache
#endif
  // Some network file systems cannot sync a folder: the rename itself stands.
  if (::fsync(descriptor) != 0 && errno != EINVAL && errno != ENOTSUP) fail_errno(path, "sync it");
}

}  // namespace toolkit::files

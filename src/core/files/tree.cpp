#include "core/files/tree.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/error.h"
#include "core/files/safe_path.h"

namespace toolkit::files {

namespace fs = std::filesystem;

namespace {

struct CloseListing {
  void operator()(DIR* listing) const { ::closedir(listing); }
};

class Walk {
 public:
  Walk(const fs::path& root, const std::function<void(const TreeEntry&)>& visit,
       const std::function<void(const fs::path&, const std::string&)>& unreadable,
       const TreeLimits& limits)
      : root_(root), visit_(visit), unreadable_(unreadable), limits_(limits) {}

  void folder(const fs::path& path, const std::string& relative, int depth) {
    for (const std::string& name : names_in(path)) {
      const fs::path below = path / name;
      const std::optional<Identity> identity = look_at(below);
      if (!identity) continue;  // gone since it was listed, or said already
      const std::string relative_below = relative.empty() ? name : relative + "/" + name;
      if (identity->kind == FileKind::kFolder) {
        if (depth >= limits_.depth)
          fail(ErrorKind::kUserInput,
               "{}: more than {} folders in each other: name a folder with "
               "models instead",
               escaped(below.string()), limits_.depth);
        folder(below, relative_below, depth + 1);
      } else if (identity->kind != FileKind::kOther) {
        visit_({below, relative_below, *identity});
      }
    }
  }

 private:
  /// All names of a folder in byte order; the listing is closed before anything below is opened.
  std::vector<std::string> names_in(const fs::path& path) {
    std::vector<std::string> names;
    const std::unique_ptr<DIR, CloseListing> listing(::opendir(path.c_str()));
    if (!listing) {
      unreadable_(path, std::strerror(errno));
      return names;
    }
    errno = 0;
    while (const dirent* entry = ::readdir(listing.get())) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (++entries_ > limits_.entries)
        fail(ErrorKind::kUserInput,
             "{}: more than {} files and folders: name a folder with models "
             "instead",
             root_.string(), limits_.entries);
      names.push_back(name);
    }
    if (errno != 0) unreadable_(path, std::strerror(errno));
    std::sort(names.begin(), names.end());
    return names;
  }

  std::optional<Identity> look_at(const fs::path& path) {
    try {
      return identity_of(path);
    } catch (const Error& error) {
      unreadable_(path, error.what());
      return std::nullopt;
    }
  }

  const fs::path& root_;
  const std::function<void(const TreeEntry&)>& visit_;
  const std::function<void(const fs::path&, const std::string&)>& unreadable_;
  const TreeLimits& limits_;
  int64_t entries_ = 0;
};

}  // namespace

void walk_tree(const fs::path& root, const std::function<void(const TreeEntry&)>& visit,
               const std::function<void(const fs::path&, const std::string&)>& unreadable,
               const TreeLimits& limits) {
  Walk(root, visit, unreadable, limits).folder(root, "", 0);
}

}  // namespace toolkit::files

#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace toolkit::files {

/// How a second name gets the content of a first one.
enum class LinkKind {
  kHardLink,  // one file, two names; an edit in place shows in both
  kClone,     // own file that shares its blocks until one is edited (APFS, btrfs, XFS)
  kSymlink,   // leads to the first; dangles when that goes
  kCopy,      // bytes twice
};
const char* link_kind_name(LinkKind kind);  // "hard link", "clone", "symlink", "copy"

/// Which kinds a place may hold, best first. A kind that is not listed is never tried.
using LinkPolicy = std::vector<LinkKind>;

struct LinkOutcome {
  LinkKind kind = LinkKind::kCopy;
  std::string
      reason;  // why not the kinds before it: "hard link: other volume (EXDEV)"; may be empty
};

/// Makes `target` (which must not exist; its folder must) by the first kind of `policy` that the
/// file system takes: EXDEV, ENOTSUP, EOPNOTSUPP, EMLINK, EPERM, EACCES, EINVAL lead to the next,
/// every other error is thrown. A hard link is checked by inode, a copy by size and synced.
/// Symlinks are relative when both lie below `relative_below` (may be empty). Throws Error(kIo)
/// naming every kind that was tried; nothing is left behind then.
LinkOutcome make_link(const std::filesystem::path& source, const std::filesystem::path& target,
                      const LinkPolicy& policy, const std::filesystem::path& relative_below = {});

/// Whether and how the folders' file systems can share: tried with an empty file that is removed.
bool can_link(const std::filesystem::path& from_folder, const std::filesystem::path& to_folder,
              LinkKind kind);

/// Shares the blocks of `source` with the new file `target`: clonefile or FICLONE. False where the
/// file system cannot.
bool clone_file(const std::filesystem::path& source, const std::filesystem::path& target);

/// Whether two files lie on the same blocks, as clones do until one is edited: compared at their
/// beginning, middle and end. False where the file system does not tell.
bool share_blocks(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace toolkit::files

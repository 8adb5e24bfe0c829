#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "core/files/identity.h"

namespace toolkit::files {

struct TreeEntry {
  std::filesystem::path path;  // below the root that was given
  std::string relative;        // "onnx/model.onnx"
  Identity identity;           // lstat
};

struct TreeLimits {
  int depth = 16;
  int64_t entries = 1'000'000;
};

/// Calls `visit` for every file and symlink below `root`, folders in byte order of their names;
/// symlinks are reported, not followed, other file systems are entered. `unreadable` gets what
/// cannot be read (path, reason) and the walk goes on. Throws Error(kUserInput) beyond the limits.
void walk_tree(
    const std::filesystem::path& root, const std::function<void(const TreeEntry&)>& visit,
    const std::function<void(const std::filesystem::path&, const std::string&)>& unreadable,
    const TreeLimits& limits = {});

}  // namespace toolkit::files

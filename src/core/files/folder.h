#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/files/identity.h"

namespace toolkit::files {

/// An open folder. Every relative path is checked (safe_path.h; our own temporary names may be in
/// it) and then walked part by part with openat and O_NOFOLLOW, so that no symlink planted below it
/// leads outside: such a path is refused. All functions throw Error(kIo | kUserInput) with the full
/// path.
class Folder {
 public:
  /// An existing folder; `path` itself may lead over symlinks (a user's choice of place).
  static Folder open(const std::filesystem::path& path);
  /// The same, made with its parents (0755) when missing.
  static Folder open_or_create(const std::filesystem::path& path);
  ~Folder();
  Folder(Folder&&) noexcept;
  Folder& operator=(Folder&&) noexcept;

  const std::filesystem::path& path() const { return path_; }
  /// A folder below, made when missing (each part 0755).
  Folder subfolder(std::string_view relative, bool create) const;
  /// lstat below this folder; empty if nothing is there.
  std::optional<Identity> find(std::string_view relative) const;
  /// Opens a regular file for reading; a descriptor the caller closes.
  int open_file(std::string_view relative) const;
  /// A new file (O_EXCL, 0600) for writing; the folders above it are made.
  int create_file(std::string_view relative) const;
  /// Renames inside this folder, over what is there, and syncs both parent folders.
  void rename(std::string_view from, std::string_view to) const;
  /// Removes a file or symlink, never what it leads to. False if it was not there.
  bool remove_file(std::string_view relative) const;
  /// Removes everything below `relative` and itself; symlinks are removed, never followed. Nothing
  /// there is no error.
  void remove_tree(std::string_view relative) const;
  /// Makes names in this folder durable: fsync, F_FULLFSYNC on a Mac.
  void sync() const;

 private:
  Folder(int descriptor, std::filesystem::path path);
  /// The open folder that holds the last part of `relative`, and that part.
  struct Place;
  Place place_of(std::string_view relative, bool create) const;

  int descriptor_ = -1;
  std::filesystem::path path_;
};

/// Prefix of every temporary name we make beside files of others: ".mlx-cache-".
inline constexpr std::string_view kTemporaryPrefix = ".mlx-cache-";

/// kTemporaryPrefix and 16 random hexadecimal digits: unique without any lock.
std::string temporary_name();

/// fsync of an open file; F_FULLFSYNC on a Mac. Throws Error(kIo).
void sync_file(int descriptor, const std::filesystem::path& path);

}  // namespace toolkit::files

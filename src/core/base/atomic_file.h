#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace toolkit {

/// Writes a file so that a reader, or a kill -9 at any moment, sees the old content or the new:
/// temporary name in the same folder, fsync, rename, fsync of the folder. Throws Error(kIo) with
/// path and reason (disk full says how much was needed); the temporary file is removed.
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// The same for content that is made in pieces: `write` gets a function that appends bytes.
void write_file_atomically(
    const std::filesystem::path& path,
    const std::function<void(const std::function<void(std::string_view)>&)>& write);

/// Whole text of a file. Throws Error(kNotFound | kIo | kUserInput when larger than `limit_bytes`).
std::string read_file(const std::filesystem::path& path, size_t limit_bytes = size_t{1} << 30);

}  // namespace toolkit

#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

namespace toolkit::data {

/// A UTF-8 text file read in one pass, a buffer at a time. A byte order mark at the start is
/// dropped.
class TextFile {
 public:
  /// Throws Error(kNotFound) for a missing file, Error(kUserInput) for a folder, a device or pipe
  /// and for content that is plainly something else (gzip, zip, Parquet, UTF-16), Error(kIo)
  /// otherwise.
  explicit TextFile(const std::filesystem::path& path);

  /// What is in the buffer and was not taken: empty only at the end of the file. Valid until the
  /// next call. Throws Error(kIo) when reading fails.
  std::string_view rest();
  void take(size_t bytes) { begin_ += bytes; }

  const std::filesystem::path& path() const { return path_; }

 private:
  void fill();

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;
};

/// Throws Error as the constructor of TextFile does for what is no plain file.
void check_is_plain_file(const std::filesystem::path& path);

}  // namespace toolkit::data

#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace toolkit::data {

/// One line of a text file, without its end ("\n" or "\r\n").
struct Line {
  int number = 0;         // 1-based
  std::string text;       // cut at the limit when too_long
  bool too_long = false;  // longer than the reader's limit; the rest was skipped, not kept
  bool ended = true;      // false: the file ends without a newline here
};

/// Reads a UTF-8 text file line by line in one pass, never holding more than one line. A byte order
/// mark at the start is dropped.
class LineReader {
 public:
  static constexpr size_t kLimitBytes = size_t{16} << 20;

  /// Throws Error(kNotFound) for a missing file, Error(kUserInput) for a folder, a device or pipe
  /// and for content that is plainly something else (gzip, zip, Parquet, UTF-16), Error(kIo)
  /// otherwise.
  explicit LineReader(const std::filesystem::path& path, size_t limit_bytes = kLimitBytes);

  /// The next line, or false at the end. Throws Error(kIo) when reading fails.
  bool next(Line& line);

 private:
  bool fill();

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
  size_t limit_bytes_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;
  int number_ = 0;
};

}  // namespace toolkit::data

#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/data/text_file.h"

namespace toolkit::data {

/// One line of a text file, without its end ("\n" or "\r\n").
struct Line {
  int number = 0;         // 1-based
  std::string text;       // cut at the limit when too_long
  bool too_long = false;  // longer than the reader's limit; the rest was skipped, not kept
  bool ended = true;      // false: the file ends without a newline here
};

/// Reads a UTF-8 text file line by line in one pass, never holding more than one line.
class LineReader {
 public:
  static constexpr size_t kLimitBytes = size_t{16} << 20;

  /// Throws as TextFile does.
  explicit LineReader(const std::filesystem::path& path, size_t limit_bytes = kLimitBytes);

  /// The next line, or false at the end. Throws Error(kIo) when reading fails.
  bool next(Line& line);

 private:
  TextFile file_;
  size_t limit_bytes_;
  int number_ = 0;
};

}  // namespace toolkit::data

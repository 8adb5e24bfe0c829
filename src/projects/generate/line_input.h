#pragma once

#include <optional>
#include <string>

namespace toolkit::generate {

/// Reads lines from a file descriptor. Unlike std::getline it notices a signal while it waits.
class LineInput {
 public:
  enum class Event { kLine, kEnd, kInterrupted };

  explicit LineInput(int file) : file_(file) {}
  /// The next line without its end; kInterrupted when a signal came while waiting. A last line
  /// without a line end counts.
  Event next(std::string& line);

 private:
  int file_;
  std::string buffer_;
  bool ended_ = false;
};

}  // namespace toolkit::generate

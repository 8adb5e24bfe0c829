#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/monitor/sources/line_cutter.h"

namespace toolkit::monitor {

/// What a line of a server's log says, as far as a monitor needs it (Ollama's server.log with the
/// lines of its llama-server and MLX runners). Prompts are not in these logs.
struct LogEvent {
  enum class Kind {
    kProgress,       // tokens so far, with the speed now
    kPromptDone,     // prompt tokens and their speed
    kAnswerDone,     // tokens of the answer and their exact speed
    kPromptReading,  // MLX runner: prompt tokens processed of total
    kRequestDone,    // the HTTP server has answered (no speed)
    kRunnerStarted,  // a runner listens on `port`
  };
  Kind kind = Kind::kProgress;
  int64_t tokens = 0, total = 0, port = 0;
  double tokens_per_second = 0;
  std::string path;  // of kRequestDone: "/api/chat"
};

/// Empty for every other line.
std::optional<LogEvent> parse_log_line(std::string_view line);

/// The lines that a growing file got since the look before; begins at its end. A file that was
/// replaced or cut is read from its start. At most 1 MiB a look; lines over 16 KiB are left out.
class LogTail {
 public:
  explicit LogTail(std::filesystem::path file) : file_(std::move(file)) {}
  std::vector<std::string> new_lines();
  const std::filesystem::path& file() const { return file_; }

 private:
  std::filesystem::path file_;
  bool started_ = false;
  uint64_t inode_ = 0, offset_ = 0;
  LineCutter cutter_;
};

}  // namespace toolkit::monitor

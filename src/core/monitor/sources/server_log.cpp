#include "core/monitor/sources/server_log.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>

namespace toolkit::monitor {

namespace {

constexpr size_t kMostBytes = 1 << 20;

/// The number behind `name`, blanks and '=' between them; nothing if it is another thing.
std::optional<double> number_after(std::string_view line, std::string_view name, size_t from = 0) {
  size_t at = line.find(name, from);
  if (at == line.npos) return std::nullopt;
  at = line.find_first_not_of(" =/\"", at + name.size());
  if (at == line.npos) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(line.data() + at, line.data() + line.size(), value);
  if (error != std::errc() || !std::isfinite(value) || value < 0 || value > 1e12)
    return std::nullopt;
  return value;
}

/// "eval time =  1234.56 ms /    64 tokens".
std::optional<LogEvent> timing(std::string_view line, LogEvent::Kind kind) {
  const auto milliseconds = number_after(line, "eval time");
  const auto tokens = number_after(line, " ms ");
  if (!milliseconds || !tokens || *milliseconds <= 0) return std::nullopt;
  return LogEvent{.kind = kind,
                  .tokens = static_cast<int64_t>(*tokens),
                  .tokens_per_second = *tokens / *milliseconds * 1000};
}

std::optional<LogEvent> progress(std::string_view line) {
  const auto tokens = number_after(line, "n_decoded");
  const auto recent = number_after(line, "tg_3s"), whole = number_after(line, "tg =");
  if (!tokens || !(recent || whole)) return std::nullopt;
  return LogEvent{.kind = LogEvent::Kind::kProgress,
                  .tokens = static_cast<int64_t>(*tokens),
                  .tokens_per_second = recent ? *recent : *whole};
}

std::optional<LogEvent> prompt_reading(std::string_view line) {
  const auto done = number_after(line, "processed="), total = number_after(line, "total=");
  if (!done || !total) return std::nullopt;
  return LogEvent{.kind = LogEvent::Kind::kPromptReading,
                  .tokens = static_cast<int64_t>(*done),
                  .total = static_cast<int64_t>(*total)};
}

/// [GIN] 2026/11/26 - 10:00:00 | 200 | 4.2s | 127.0.0.1 | POST     "/api/chat"
std::optional<LogEvent> request_done(std::string_view line) {
  const size_t post = line.find("POST ");
  const size_t begin = post == line.npos ? post : line.find('"', post);
  if (begin == line.npos) return std::nullopt;
  const size_t end = line.find('"', begin + 1);
  if (end == line.npos || end - begin > 100) return std::nullopt;
  return LogEvent{.kind = LogEvent::Kind::kRequestDone,
                  .path = std::string(line.substr(begin + 1, end - begin - 1))};
}

std::optional<LogEvent> runner_started(std::string_view line) {
  auto port = number_after(line, "--port");
  if (!port) port = number_after(line, "port=");
  if (!port || *port < 1 || *port > 65535) return std::nullopt;
  return LogEvent{.kind = LogEvent::Kind::kRunnerStarted, .port = static_cast<int64_t>(*port)};
}

}  // namespace

std::optional<LogEvent> parse_log_line(std::string_view line) {
  const auto has = [&](std::string_view part) { return line.find(part) != line.npos; };
  if (has("n_decoded") && has("t/s")) return progress(line);
  if (has("prompt eval time")) return timing(line, LogEvent::Kind::kPromptDone);
  if (has(" eval time")) return timing(line, LogEvent::Kind::kAnswerDone);
  if (has("Prompt processing progress")) return prompt_reading(line);
  if (has("[GIN]")) return request_done(line);
  if (has("starting llama-server") || has("starting mlx runner") || has("starting llama server") ||
      has("starting runner"))
    return runner_started(line);
  return std::nullopt;
}

std::vector<std::string> LogTail::new_lines() {
  struct stat status{};
  if (::stat(file_.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    started_ = true;  // what appears later is new from its first line
    inode_ = offset_ = 0;
    return {};
  }
  const auto size = static_cast<uint64_t>(status.st_size);
  if (!started_) inode_ = status.st_ino, offset_ = size;
  if (status.st_ino != inode_ || size < offset_) offset_ = 0, cutter_.clear();
  started_ = true;
  inode_ = status.st_ino;
  if (size > offset_ + kMostBytes) offset_ = size - kMostBytes, cutter_.clear();
  std::ifstream stream(file_, std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(offset_));
  std::string text(size - offset_, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(std::max<std::streamsize>(0, stream.gcount())));
  offset_ += text.size();
  return cutter_.add(text);
}

}  // namespace toolkit::monitor

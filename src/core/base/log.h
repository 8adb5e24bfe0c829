#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <utility>

namespace toolkit {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

/// "debug" | "info" | "warning" | "error" | "off"; throws Error(kUserInput).
LogLevel log_level_from_name(const std::string& name);

/// Opens `<home_folder()>/logs/<program>.log` (rotated at 5 MB, three kept) for messages of `level`
/// and above. A folder that cannot be written to is no failure: nothing is logged then. Without
/// this call every message is dropped.
void start_log(const std::string& program, LogLevel level);

/// The file that is written to, or empty.
std::filesystem::path log_file();

/// Writes one line; safe from several threads. For text that is already made.
void log_line(LogLevel level, const std::string& message);

template <class... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace toolkit

#include "core/base/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/rotating_file_sink.h>

#include <memory>
#include <mutex>

#include "core/base/error.h"
#include "core/base/paths.h"

namespace toolkit {

namespace fs = std::filesystem;

namespace {

constexpr size_t kFileBytes = 5 << 20;
constexpr size_t kFilesKept = 3;

std::mutex log_mutex;
std::shared_ptr<spdlog::logger> logger;
fs::path current_file;

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

}  // namespace

LogLevel log_level_from_name(const std::string& name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "info") return LogLevel::kInfo;
  if (name == "warning") return LogLevel::kWarning;
  if (name == "error") return LogLevel::kError;
  if (name == "off") return LogLevel::kOff;
  fail(ErrorKind::kUserInput, "expected a log level (debug, info, warning, error, off), found '{}'",
       name);
}

void start_log(const std::string& program, LogLevel level) {
  const std::lock_guard lock(log_mutex);
  logger.reset();
  current_file.clear();
  if (level == LogLevel::kOff) return;
  const fs::path file = home_folder() / "logs" / (program + ".log");
  try {
    fs::create_directories(file.parent_path());
    auto sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(file.string(), kFileBytes,
                                                                       kFilesKept);
    logger = std::make_shared<spdlog::logger>(program, std::move(sink));
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %L [%P] %v");
    logger->set_level(spdlog_level(level));
    logger->flush_on(spdlog::level::info);
    // A disk that fills up later must not end a training either.
    logger->set_error_handler([](const std::string&) {});
    current_file = file;
  } catch (const std::exception&) {
    logger.reset();  // read-only home: the program works, only without a log
  }
}

fs::path log_file() {
  const std::lock_guard lock(log_mutex);
  return current_file;
}

void log_line(LogLevel level, const std::string& message) {
  const std::lock_guard lock(log_mutex);
  if (logger) logger->log(spdlog_level(level), message);
}

}  // namespace toolkit

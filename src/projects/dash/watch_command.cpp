#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/base/log.h"
#include "core/monitor/history/recorder.h"
#include "core/monitor/poller.h"
#include "projects/dash/command.h"
#include "projects/dash/status_page.h"

namespace toolkit::dash {

namespace {

struct Settings {
  double seconds = 0;
  bool lines = false;
  bool record = true;
};

/// The last snapshot, handed from the poller's thread to the one that prints.
class Latest {
 public:
  void put(const monitor::Snapshot& snapshot) {
    const std::lock_guard lock(mutex_);
    snapshot_ = snapshot;
  }
  std::optional<monitor::Snapshot> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(snapshot_, std::nullopt);
  }

 private:
  std::mutex mutex_;
  std::optional<monitor::Snapshot> snapshot_;
};

void print(const monitor::Snapshot& snapshot, const monitor::Preferences& preferences,
           bool whole_page, bool color) {
  if (whole_page)
    fmt::print("\x1b[H\x1b[J{}\n  Ctrl-C ends\n", to_page(snapshot, preferences, color));
  else
    fmt::print("{}\n", to_line(snapshot));
  std::fflush(stdout);
}

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  const monitor::Preferences preferences = monitor::load_preferences();
  monitor::Recorder recorder(monitor::History::default_file(), preferences.history_days);
  const InterruptGuard guard;
  Latest latest;
  int64_t snapshots = 0;
  bool records = settings.record;
  const auto begin = std::chrono::steady_clock::now();
  nlohmann::json last;
  {
    monitor::Poller poller(preferences, monitor::parts_of(preferences),
                           [&](const monitor::Snapshot& snapshot) {
                             latest.put(snapshot);
                             try {
                               if (records) recorder.take(snapshot);
                             } catch (const Error& error) {
                               log_error("history: {}", error.what());
                               records = false;  // a full disk does not end the watching
                             }
                           });
    const bool whole_page = !settings.lines && ::isatty(STDOUT_FILENO) != 0;
    while (!InterruptGuard::requested()) {
      const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
      if (settings.seconds > 0 && passed.count() > settings.seconds) break;
      if (const auto snapshot = latest.take()) {
        ++snapshots;
        last = monitor::to_json(*snapshot);
        if (!context.quiet) print(*snapshot, preferences, whole_page, context.color);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  return {{"snapshots", snapshots}, {"last", last}};
}

}  // namespace

cli::Command watch_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "watch",
          .summary = "watch in the terminal and record history, without windows",
          .examples = {"mlx-dash watch", "mlx-dash watch --lines --seconds 60 > log.txt"},
          .fields = {{.name = "seconds",
                      .target = &settings->seconds,
                      .help = "end after that long (0: at Ctrl-C)",
                      .minimum = 0},
                     {.name = "lines",
                      .target = &settings->lines,
                      .help = "a line for each look instead of a page that is redrawn"},
                     {.name = "record",
                      .target = &settings->record,
                      .help = "keep sessions and samples in the history"}},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::dash

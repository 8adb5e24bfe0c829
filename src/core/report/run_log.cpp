#include "core/report/run_log.h"

#include <fmt/chrono.h>

#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/platform/process.h"
#include "core/report/file_run_log.h"

namespace toolkit::report {

namespace fs = std::filesystem;

namespace {

std::vector<RunListener>& listeners() {
  static std::vector<RunListener> list;
  return list;
}

/// Letters and digits that are not taken for one another; no vowels, so no words.
std::string new_id() {
  constexpr std::string_view kLetters = "23456789bcdfghjkmnpqrstvwxz";
  std::random_device random;
  std::uniform_int_distribution<size_t> letter(0, kLetters.size() - 1);
  std::string id;
  for (int i = 0; i < 6; ++i) id += kLetters[letter(random)];
  return id;
}

/// One log for all. A listener that fails is not asked again.
class JoinedRunLog : public RunLog {
 public:
  void add(std::unique_ptr<RunLog> log) {
    if (log) logs_.push_back(std::move(log));
  }
  void parameters(const nlohmann::json& values) override {
    tell([&](RunLog& log) { log.parameters(values); });
  }
  void metric(const std::string& name, int64_t step, double value) override {
    tell([&](RunLog& log) { log.metric(name, step, value); });
  }
  void artifact(const fs::path& path, const std::string& description) override {
    tell([&](RunLog& log) { log.artifact(path, description); });
  }
  void finish(const std::string& status, const nlohmann::json& summary) override {
    tell([&](RunLog& log) { log.finish(status, summary); });
  }

 private:
  template <class Call>
  void tell(const Call& call) {
    for (std::unique_ptr<RunLog>& log : logs_) {
      if (!log) continue;
      try {
        call(*log);
      } catch (const std::exception& error) {
        log_warning("the run goes on without one of its logs: {}", error.what());
        log.reset();
      }
    }
  }

  std::vector<std::unique_ptr<RunLog>> logs_;
};

RunStart new_start(const RunOptions& options) {
  const char* parent = std::getenv(kParentVariable);
  const int pid = ::getpid();
  RunStart start{.id = new_id(),
                 .kind = options.kind,
                 .folder = options.folder,
                 .parent = parent ? parent : "",
                 .started = utc_now(),
                 .host = platform::host_name(),
                 .pid = pid,
                 .process_start = platform::process_start(pid)};
  if (start.folder.empty()) start.folder = home_folder() / "runs" / start.id;
  start.folder = fs::absolute(start.folder).lexically_normal();
  return start;
}

}  // namespace

std::string utc_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

OpenRun open_run(const RunOptions& options) {
  RunStart start = new_start(options);
  auto joined = std::make_unique<JoinedRunLog>();
  try {
    auto files = std::make_unique<FileRunLog>(start, options.resume);
    start = files->start();
    joined->add(std::move(files));
  } catch (const Error& error) {
    if (!options.folder.empty()) throw;
    log_warning("this run is not recorded in files: {}", error.what());
  }
  for (const RunListener& listener : listeners()) {
    try {
      joined->add(listener(start));
    } catch (const std::exception& error) {
      log_warning("this run is not recorded everywhere: {}", error.what());
    }
  }
  return {std::move(start), std::move(joined)};
}

std::unique_ptr<RunLog> make_file_run_log(const fs::path& folder, const std::string& kind) {
  return std::make_unique<FileRunLog>(new_start({.kind = kind, .folder = folder}), false);
}

void listen_to_runs(RunListener listener) {
  listeners().push_back(std::move(listener));
}

}  // namespace toolkit::report

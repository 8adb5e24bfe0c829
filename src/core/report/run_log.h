#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace toolkit::report {

/// Where a run says what it does. Projects write to it; who listens (files in the run's folder, a
/// database, an MLflow server) is decided by the program.
class RunLog {
 public:
  virtual ~RunLog() = default;
  virtual void parameters(const nlohmann::json& values) = 0;
  virtual void metric(const std::string& name, int64_t step, double value) = 0;
  virtual void artifact(const std::filesystem::path& path, const std::string& description) = 0;
  /// The end: "succeeded", "failed", "interrupted", with the summary that run.json keeps.
  virtual void finish(const std::string& status, const nlohmann::json& summary) = 0;
};

/// How a run begins; run.json holds the same.
struct RunStart {
  std::string id;                // six letters and digits, the same after a resume
  std::string kind;              // "finetune", "tune", "evaluate", ...
  std::filesystem::path folder;  // absolute
  std::string parent;            // id of the run that started this one, or ""
  std::string started;           // UTC, "2026-11-26T09:30:00Z"
  std::string host;
  int pid = 0;
  std::string process_start;  // platform::process_start(pid): tells a killed run from a living one
};

struct RunOptions {
  std::string kind;
  std::filesystem::path folder;  // empty: `<home_folder()>/runs/<id>`
  bool resume = false;  // the run whose run.json lies there goes on, with its id and its metrics
};

/// A log that is told to everyone who listens: `run.json` (written atomically, at start and end)
/// and `metrics.jsonl` (one line as it happens) in the folder, then those of listen_to_runs(). Once
/// it is open, nothing that goes wrong with it ends the run: a warning is logged. Throws Error(kIo)
/// when the folder that was named cannot be made.
struct OpenRun {
  RunStart start;
  std::unique_ptr<RunLog> log;
};
OpenRun open_run(const RunOptions& options);

/// Only the two files.
std::unique_ptr<RunLog> make_file_run_log(const std::filesystem::path& folder,
                                          const std::string& kind);

/// Makes one more listener for every run that opens from now on (nullptr: not this one). Called by
/// main(), before any thread.
using RunListener = std::function<std::unique_ptr<RunLog>(const RunStart&)>;
void listen_to_runs(RunListener listener);

/// Environment variable that names the parent to the runs of child processes.
inline constexpr const char* kParentVariable = "MLX_TOOLKIT_PARENT_RUN";

}  // namespace toolkit::report

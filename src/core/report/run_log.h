#pragma once

#include <cstdint>
#include <filesystem>
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

/// Writes `run.json` (atomically, at start and end) and appends to `metrics.jsonl` in `folder`.
std::unique_ptr<RunLog> make_file_run_log(const std::filesystem::path& folder,
                                          const std::string& kind);

}  // namespace toolkit::report

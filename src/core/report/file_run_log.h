#pragma once

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "core/report/run_log.h"

namespace toolkit::report {

/// "2026-11-26T09:30:00Z"
std::string utc_now();

/// `run.json` and `metrics.jsonl` of one run. After the constructor (Error(kIo)) a full disk is a
/// warning in the log, never an error.
class FileRunLog : public RunLog {
 public:
  /// With `resume` the run that lies in the folder goes on: its id, start and metrics stay.
  FileRunLog(const RunStart& start, bool resume);
  ~FileRunLog() override;
  FileRunLog(const FileRunLog&) = delete;
  FileRunLog& operator=(const FileRunLog&) = delete;

  const RunStart& start() const { return start_; }
  void parameters(const nlohmann::json& values) override;
  void metric(const std::string& name, int64_t step, double value) override;
  void artifact(const std::filesystem::path& path, const std::string& description) override;
  void finish(const std::string& status, const nlohmann::json& summary) override;

 private:
  using Clock = std::chrono::steady_clock;
  double seconds() const;
  void continue_old_run();
  void open_metrics(bool append);
  std::string text() const;
  void save();

  RunStart start_;
  std::FILE* metrics_ = nullptr;
  nlohmann::ordered_json run_;
  double seconds_before_ = 0;
  Clock::time_point begin_ = Clock::now();
  bool finished_ = false, warned_ = false;
};

}  // namespace toolkit::report

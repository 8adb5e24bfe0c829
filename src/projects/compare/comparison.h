#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/files/lock.h"
#include "core/report/run_log.h"
#include "projects/compare/method_run.h"
#include "projects/compare/recommend.h"

namespace toolkit::compare {

/// A comparison that was checked and may run.
struct Comparison {
  Config config;
  Bench bench;
  std::map<std::string, Settings> settings;  // of each method
  std::optional<files::FileLock> lock;       // on the output folder, until run() is over
  std::string status = "succeeded";          // or "interrupted"
  std::optional<Entry> base;
  std::vector<Entry> entries;  // of the methods that were measured so far, in their order
  Recommendation recommendation;

  std::filesystem::path file(const std::string& name) const;
  std::filesystem::path folder(const std::string& method) const;
};

/// Checks everything against the finetune of `program` and writes what the comparison is into
/// `comparison.json`. Throws Error(kUserInput) with every misfit, Error(kIo) naming the process
/// that compares in the same folder.
Comparison prepare(const Config& config, const std::string& program);

/// Measures the base and every method that has no measurement yet, recommends one and writes
/// report.html, results.json and results.csv. A method that fails is recorded with its reason.
void run(Comparison& comparison, const report::OpenRun& open, bool quiet);

}  // namespace toolkit::compare

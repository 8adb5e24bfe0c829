#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/files/lock.h"
#include "core/report/run_log.h"
#include "projects/tune/config.h"
#include "projects/tune/trial_journal.h"
#include "projects/tune/trial_space.h"
#include "projects/tune/trials.h"

namespace toolkit::tune {

/// A search that was checked and may run.
struct Search {
  Config config;
  std::string program;
  Json fields;  // of finetune
  Settings fixed;
  search::Space space;
  Schedule schedule;
  std::vector<Trial> trials;  // more than none after --resume
  TrialJournal journal;
  std::optional<files::FileLock> lock;  // on the output folder, until run() is over
  std::string status = "succeeded";     // or "interrupted"

  /// The settings of a round of a trial, without its output folder.
  Settings settings(const Turn& turn) const;
  std::filesystem::path folder(const Turn& turn) const;
  std::filesystem::path file(const std::string& name) const;
};

/// Checks everything against the finetune of `program` and opens `trials.jsonl`. Throws
/// Error(kUserInput) with every misfit, Error(kIo) naming the process that searches in the same
/// folder.
Search prepare(const Config& config, const std::string& program, const ModelLimits& limits = {});

/// Runs trials until the budget is spent or Ctrl-C, then writes `best.yaml` and the plots. A trial
/// that fails is recorded with its reason and the search goes on; Error(kUserInput) if the first
/// three fail. Draws a progress bar on stderr unless quiet.
void run(Search& search, const report::OpenRun& open, bool quiet);

}  // namespace toolkit::tune

#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/report/run_log.h"
#include "projects/track/run_store.h"

namespace toolkit::track {

/// Notes where a run lies: `<home_folder()>/runs/<id>` is its folder or a symbolic link to it, so
/// that the database can be made again. Never throws.
void remember_folder(const report::RunStart& start);

/// Undoes remember_folder; the run's files stay. A run that lies in `<home_folder()>/runs` itself
/// is kept there under a name that no run has.
void forget_folder(const report::RunStart& start);

/// "running", or "killed" for a run whose process of this machine is gone.
std::string living_status(const Run& run);

/// Takes a run from its run.json and metrics.jsonl into the store, in place of what it knew, tags
/// kept. False, with the reason in `why`, if the folder holds no such run.
bool record_folder(RunStore& store, const std::filesystem::path& folder, std::string& why);

/// What the store missed: runs of `<home_folder()>/runs` that it does not know, and runs that it
/// takes for running but that have ended. Returns how many it wrote.
int record_missing_runs(RunStore& store);

struct RebuildReport {
  int recorded = 0;
  std::vector<std::string> left_out;  // folder and reason
  std::filesystem::path set_aside;    // where a database that could not be read is kept
};

/// Records every run below `<home_folder()>/runs` and below `folders` (four levels) anew. A
/// database that is damaged is set aside first.
RebuildReport rebuild_database(const std::vector<std::filesystem::path>& folders);

}  // namespace toolkit::track

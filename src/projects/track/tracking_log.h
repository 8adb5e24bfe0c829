#pragma once

#include <memory>

#include "core/report/run_log.h"

namespace toolkit::track {

/// The listener that keeps every run in the tracking database, for report::listen_to_runs. Metrics
/// are written every few seconds in one transaction. What cannot be written (database locked, disk
/// full) is logged once and left to the run's files, from which record_missing_runs() takes it.
std::unique_ptr<report::RunLog> track_run(const report::RunStart& start);

}  // namespace toolkit::track

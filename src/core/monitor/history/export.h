#pragma once

#include <string>

#include "core/base/json.h"
#include "core/monitor/history/history.h"

namespace toolkit::monitor {

/// Sessions, benchmarks, statistics and samples of a span as one JSON object; times in UTC. At most
/// about `points` samples of each model, means where they are more; 0: as they are kept.
Json history_json(const History& history, int64_t from_s, int64_t to_s, int points = 0);

/// One of "sessions", "benchmarks", "samples" as CSV with a header (RFC 4180). Throws
/// Error(kUserInput) for another name.
std::string history_csv(const History& history, const std::string& table, int64_t from_s,
                        int64_t to_s);

Json to_json(const BenchmarkRecord& record);

}  // namespace toolkit::monitor

#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/report/table.h"
#include "projects/track/run_store.h"

namespace toolkit::track {

/// One line a run: id, what, status, model, start, time, loss, speed, memory, parent.
report::Table list_table(const std::vector<Run>& runs);

/// Everything about one run, for people.
std::string run_page(const Run& run, const std::map<std::string, MetricSeries>& metrics);

/// What differs between runs: settings first, then every number of their results.
struct Comparison {
  report::Table settings, results;
};
Comparison compare(const std::vector<Run>& runs);

/// Training loss (running mean over 5 % of the steps) and validation loss of every run, as SVG.
std::string loss_plot(const std::vector<Run>& runs,
                      const std::vector<std::map<std::string, MetricSeries>>& metrics);

/// One run as an object; `metrics` may be null.
Json run_json(const Run& run, const std::map<std::string, MetricSeries>* metrics);

/// One line a run, with a column for every setting and every number of a result.
report::Table export_table(const std::vector<Run>& runs);

}  // namespace toolkit::track

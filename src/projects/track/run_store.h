#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/json.h"
#include "core/report/run_log.h"
#include "core/store/database.h"

namespace toolkit::track {

struct Artifact {
  std::string path, description;
};

/// One run as the store knows it.
struct Run {
  report::RunStart start;
  std::string status;  // "running", "succeeded", "failed", "interrupted", "killed"
  std::string ended;   // UTC, "" while it runs
  std::optional<double> seconds;
  Json parameters = Json::object(), summary = Json::object();
  std::vector<Artifact> artifacts;
  std::map<std::string, std::string> tags;

  /// The model it worked on, from its settings; "" if they name none.
  std::string model() const;
  /// A number of the summary ("validation_loss_after", "quality.loss") or of the settings.
  std::optional<double> number(const std::string& name) const;
};

struct MetricPoint {
  std::string name;
  int64_t step = 0;
  std::optional<double> value;  // empty: it was not a number
};

/// Points of one metric, by step.
using MetricSeries = std::vector<std::pair<int64_t, double>>;

struct RunFilter {
  std::string kind, status, model, parent;  // empty: any; model: part of its name
  std::string since;                        // UTC text that `started` must not be before
};

/// The runs of the tracking database. Every change is one transaction.
class RunStore {
 public:
  explicit RunStore(store::Database database) : database_(std::move(database)) {}

  /// A new run, or a known one that goes on.
  void begin(const report::RunStart& start);
  void set_parameters(const std::string& id, const Json& values);
  void add_metrics(const std::string& id, std::span<const MetricPoint> points);
  void add_artifact(const std::string& id, const Artifact& artifact);
  void set_tag(const std::string& id, const std::string& name, const std::string& value);
  void finish(const std::string& id, const std::string& status, const std::string& ended,
              std::optional<double> seconds, const Json& summary);
  void set_status(const std::string& id, const std::string& status);

  /// Everything of these kinds, newest first.
  std::vector<Run> list(const RunFilter& filter);
  bool knows(const std::string& id);
  /// By id or the beginning of one. Throws Error(kNotFound) with what to do, Error(kUserInput) when
  /// several begin so.
  Run find(const std::string& id);
  std::map<std::string, MetricSeries> metrics(const std::string& id);
  void remove(const std::string& id);

 private:
  Run read_run(store::Statement& row);
  store::Database database_;
};

}  // namespace toolkit::track

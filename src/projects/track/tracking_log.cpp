#include "projects/track/tracking_log.h"

#include <chrono>
#include <cmath>
#include <system_error>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "core/report/file_run_log.h"
#include "projects/track/run_folder.h"
#include "projects/track/run_store.h"
#include "projects/track/schema.h"

namespace toolkit::track {

namespace {

using Clock = std::chrono::steady_clock;

// A commit syncs the disk: often enough to look at a run that goes on, too rare to slow it down.
constexpr auto kFlushEvery = std::chrono::seconds(3);

// A run stands still for so long at most when another program holds the database; what it then
// could not write is in its files.
constexpr auto kPatience = std::chrono::milliseconds(500);

store::Database patient_database() {
  store::Database database = open_tracking_database();
  database.set_patience(kPatience);
  return database;
}

class TrackingLog : public report::RunLog {
 public:
  explicit TrackingLog(const report::RunStart& start) : id_(start.id), store_(patient_database()) {
    store_.begin(start);
  }

  ~TrackingLog() override {
    if (finished_) return;
    try {
      finish("failed", {});
    } catch (const std::exception& error) {
      log_warning("run {} is not closed in the database: {}", id_, error.what());
    }
  }

  void parameters(const nlohmann::json& values) override { store_.set_parameters(id_, values); }

  void metric(const std::string& name, int64_t step, double value) override {
    waiting_.push_back({.name = name, .step = step});
    if (std::isfinite(value)) waiting_.back().value = value;
    if (Clock::now() - flushed_ >= kFlushEvery) flush();
  }

  void artifact(const std::filesystem::path& path, const std::string& description) override {
    store_.add_artifact(id_, {path.string(), description});
  }

  void finish(const std::string& status, const nlohmann::json& summary) override {
    finished_ = true;
    flush();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
    store_.finish(id_, status, report::utc_now(), seconds, summary);
  }

 private:
  void flush() {
    store_.add_metrics(id_, waiting_);
    waiting_.clear();
    flushed_ = Clock::now();
  }

  std::string id_;
  RunStore store_;
  std::vector<MetricPoint> waiting_;
  Clock::time_point begin_ = Clock::now(), flushed_ = begin_;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<report::RunLog> track_run(const report::RunStart& start) {
  remember_folder(start);
  return std::make_unique<TrackingLog>(start);
}

}  // namespace toolkit::track

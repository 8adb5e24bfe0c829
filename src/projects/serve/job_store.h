#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/files/lock.h"
#include "core/store/database.h"

namespace toolkit::serve {

/// An uploaded file.
struct StoredFile {
  std::string id, name, purpose;  // name: as the client called it, for show only
  int64_t bytes = 0, created_at = 0;
};

/// A fine-tuning job.
struct FineTuningJob {
  std::string id, status;  // validating_files queued running succeeded failed cancelled
  std::string model, base, training_file, validation_file, suffix;
  std::string method = "supervised";  // or "dpo"
  Json hyperparameters = Json::object();
  int64_t seed = 0, created_at = 0;
  std::optional<int64_t> finished_at, trained_tokens;
  std::string fine_tuned_model, error;
};

struct JobEvent {
  int64_t number = 0, created_at = 0;
  std::string level, message, type;  // "info" | "warn" | "error"; "message" | "metrics"
  Json data;
};

/// Files, jobs and their events in a folder of their own:
///   serve.db          rows of all three
///   files/<id>        0600; names are ours, none comes from a client
///   jobs/<id>/        data/, output/ (what finetune writes), its log
/// Every change is one transaction: a kill leaves the state before or after it. One process at a
/// time has the folder. Safe from several threads.
class JobStore {
 public:
  /// Makes what is missing. Throws Error(kIo) if another server has the folder.
  explicit JobStore(const std::filesystem::path& folder);

  StoredFile add_file(const std::string& name, const std::string& purpose,
                      std::string_view content);
  std::vector<StoredFile> files() const;  // newest first
  std::optional<StoredFile> find_file(const std::string& id) const;
  std::filesystem::path file_path(const StoredFile& file) const;
  void remove_file(const StoredFile& file);

  /// Gives it an id, "queued" and its time.
  FineTuningJob add_job(FineTuningJob job);
  std::vector<FineTuningJob> jobs() const;  // newest first
  std::optional<FineTuningJob> find_job(const std::string& id) const;
  void save(const FineTuningJob& job);
  void remove_job(const std::string& id);  // its folder too
  std::filesystem::path job_folder(const std::string& id) const;

  void add_event(const std::string& job, const std::string& message,
                 const std::string& level = "info", const Json& data = nullptr);
  std::vector<JobEvent> events(const std::string& job) const;  // newest first
  std::map<std::string, int> jobs_by_state() const;

 private:
  std::filesystem::path folder_;
  files::FileLock lock_;
  mutable std::mutex mutex_;
  mutable store::Database database_;
};

}  // namespace toolkit::serve

#include "projects/serve/job_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "core/base/error.h"
#include "core/model_store/utc_time.h"
#include "core/store/migrations.h"
#include "projects/serve/openai_answer.h"

namespace toolkit::serve {

namespace {

namespace fs = std::filesystem;

constexpr std::array<store::Migration, 1> kMigrations = {{{1, R"sql(
CREATE TABLE files (id TEXT PRIMARY KEY, name TEXT NOT NULL, purpose TEXT NOT NULL,
                    bytes INTEGER NOT NULL, created_at INTEGER NOT NULL);
CREATE TABLE jobs (id TEXT PRIMARY KEY, status TEXT NOT NULL, created_at INTEGER NOT NULL,
                   body TEXT NOT NULL);
CREATE TABLE events (number INTEGER PRIMARY KEY AUTOINCREMENT,
                     job TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
                     created_at INTEGER NOT NULL, level TEXT NOT NULL, message TEXT NOT NULL,
                     data TEXT NOT NULL);
CREATE INDEX events_of_job ON events (job, number);
)sql"}}};

fs::path made_private(const fs::path& folder) {
  fs::create_directories(folder / "files");
  fs::create_directories(folder / "jobs");
  if (::chmod(folder.c_str(), 0700) != 0)
    fail(ErrorKind::kIo, "{}: cannot be kept from others: {}", folder.string(),
         std::strerror(errno));
  return folder;
}

/// Waits for a moment: the process of a job outlives a killed server by so much.
files::FileLock lock_of(const fs::path& folder) {
  for (int attempt = 0;; ++attempt) {
    auto lock = files::FileLock::try_take(folder / "lock", files::LockMode::kExclusive,
                                          "serving fine-tuning jobs");
    if (lock.held() || attempt == 20) return lock;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

store::Database opened(const fs::path& path) {
  store::Database database = store::Database::open(path, store::OpenMode::kReadWrite);
  ::chmod(path.c_str(), 0600);
  store::migrate(database, kMigrations);
  return database;
}

void write_private(const fs::path& path, std::string_view content) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  size_t done = 0;
  bool good = file >= 0;
  while (good && done < content.size()) {
    const ssize_t count = ::write(file, content.data() + done, content.size() - done);
    good = count > 0;
    if (good) done += static_cast<size_t>(count);
  }
  good = good && ::fsync(file) == 0;
  const int reason = errno;
  if (file >= 0) ::close(file);
  if (good) return;
  ::unlink(path.c_str());
  fail(ErrorKind::kIo, "{}: cannot write {} bytes: {}", path.string(), content.size(),
       std::strerror(reason));
}

Json body_of(const FineTuningJob& job) {
  return {{"model", job.model},
          {"base", job.base},
          {"training_file", job.training_file},
          {"validation_file", job.validation_file},
          {"suffix", job.suffix},
          {"method", job.method},
          {"hyperparameters", job.hyperparameters},
          {"seed", job.seed},
          {"finished_at", job.finished_at ? Json(*job.finished_at) : Json()},
          {"trained_tokens", job.trained_tokens ? Json(*job.trained_tokens) : Json()},
          {"fine_tuned_model", job.fine_tuned_model},
          {"error", job.error}};
}

FineTuningJob job_of(store::Statement& row) {
  const Json body = Json::parse(row.text(3));
  FineTuningJob job{.id = row.text(0),
                    .status = row.text(1),
                    .model = body["model"],
                    .base = body["base"],
                    .training_file = body["training_file"],
                    .validation_file = body["validation_file"],
                    .suffix = body["suffix"],
                    .method = body["method"],
                    .hyperparameters = body["hyperparameters"],
                    .seed = body["seed"],
                    .created_at = row.integer(2),
                    .fine_tuned_model = body["fine_tuned_model"],
                    .error = body["error"]};
  if (!body["finished_at"].is_null()) job.finished_at = body["finished_at"].get<int64_t>();
  if (!body["trained_tokens"].is_null()) job.trained_tokens = body["trained_tokens"].get<int64_t>();
  return job;
}

StoredFile file_of(store::Statement& row) {
  return {.id = row.text(0),
          .name = row.text(1),
          .purpose = row.text(2),
          .bytes = row.integer(3),
          .created_at = row.integer(4)};
}

constexpr const char* kFiles = "SELECT id, name, purpose, bytes, created_at FROM files ";
constexpr const char* kJobs = "SELECT id, status, created_at, body FROM jobs ";

}  // namespace

JobStore::JobStore(const fs::path& folder)
    : folder_(made_private(folder)),
      lock_(lock_of(folder_)),
      database_(lock_.held() ? opened(folder_ / "serve.db") : store::Database::in_memory()) {
  if (!lock_.held())
    fail(ErrorKind::kIo,
         "{} belongs to another running server: end that one, set MLX_INFRASTRUCTURE_HOME, or "
         "give --no-fine-tuning",
         folder_.string());
}

StoredFile JobStore::add_file(const std::string& name, const std::string& purpose,
                              std::string_view content) {
  StoredFile file{.id = random_id("file-"),
                  .name = name,
                  .purpose = purpose,
                  .bytes = static_cast<int64_t>(content.size()),
                  .created_at = model_store::now_s()};
  write_private(file_path(file), content);  // before its row: no row without a file
  const std::lock_guard lock(mutex_);
  database_.prepare("INSERT INTO files VALUES (?, ?, ?, ?, ?)")
      .bind(1, file.id)
      .bind(2, file.name)
      .bind(3, file.purpose)
      .bind(4, file.bytes)
      .bind(5, file.created_at)
      .run();
  return file;
}

std::vector<StoredFile> JobStore::files() const {
  const std::lock_guard lock(mutex_);
  auto rows = database_.prepare(std::string(kFiles) + "ORDER BY created_at DESC, rowid DESC");
  std::vector<StoredFile> files;
  while (rows.step()) files.push_back(file_of(rows));
  return files;
}

std::optional<StoredFile> JobStore::find_file(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  auto row = database_.prepare(std::string(kFiles) + "WHERE id = ?");
  row.bind(1, id);
  return row.step() ? std::optional(file_of(row)) : std::nullopt;
}

fs::path JobStore::file_path(const StoredFile& file) const {
  return folder_ / "files" / file.id;  // an id of ours, as found in a row
}

void JobStore::remove_file(const StoredFile& file) {
  const std::lock_guard lock(mutex_);
  database_.prepare("DELETE FROM files WHERE id = ?").bind(1, file.id).run();
  ::unlink(file_path(file).c_str());
}

FineTuningJob JobStore::add_job(FineTuningJob job) {
  job.id = random_id("ftjob-");
  job.status = "queued";
  job.created_at = model_store::now_s();
  const std::lock_guard lock(mutex_);
  database_.prepare("INSERT INTO jobs VALUES (?, ?, ?, ?)")
      .bind(1, job.id)
      .bind(2, job.status)
      .bind(3, job.created_at)
      .bind(4, body_of(job).dump())
      .run();
  return job;
}

std::vector<FineTuningJob> JobStore::jobs() const {
  const std::lock_guard lock(mutex_);
  auto rows = database_.prepare(std::string(kJobs) + "ORDER BY created_at DESC, rowid DESC");
  std::vector<FineTuningJob> jobs;
  while (rows.step()) jobs.push_back(job_of(rows));
  return jobs;
}

std::optional<FineTuningJob> JobStore::find_job(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  auto row = database_.prepare(std::string(kJobs) + "WHERE id = ?");
  row.bind(1, id);
  return row.step() ? std::optional(job_of(row)) : std::nullopt;
}

void JobStore::save(const FineTuningJob& job) {
  const std::lock_guard lock(mutex_);
  database_.prepare("UPDATE jobs SET status = ?, body = ? WHERE id = ?")
      .bind(1, job.status)
      .bind(2, body_of(job).dump())
      .bind(3, job.id)
      .run();
}

void JobStore::remove_job(const std::string& id) {
  const std::lock_guard lock(mutex_);
  database_.prepare("DELETE FROM jobs WHERE id = ?").bind(1, id).run();
  std::error_code ignored;
  fs::remove_all(job_folder(id), ignored);
}

fs::path JobStore::job_folder(const std::string& id) const {
  return folder_ / "jobs" / id;
}

void JobStore::add_event(const std::string& job, const std::string& message,
                         const std::string& level, const Json& data) {
  const std::lock_guard lock(mutex_);
  database_
      .prepare("INSERT INTO events (job, created_at, level, message, data) VALUES (?, ?, ?, ?, ?)")
      .bind(1, job)
      .bind(2, model_store::now_s())
      .bind(3, level)
      .bind(4, message)
      .bind(5, data.dump(-1, ' ', false, Json::error_handler_t::replace))
      .run();
}

std::vector<JobEvent> JobStore::events(const std::string& job) const {
  const std::lock_guard lock(mutex_);
  auto rows = database_.prepare(
      "SELECT number, created_at, level, message, data FROM events WHERE job = ? "
      "ORDER BY number DESC");
  rows.bind(1, job);
  std::vector<JobEvent> events;
  while (rows.step()) {
    const Json data = Json::parse(rows.text(4));
    events.push_back({.number = rows.integer(0),
                      .created_at = rows.integer(1),
                      .level = rows.text(2),
                      .message = rows.text(3),
                      .type = data.is_null() ? "message" : "metrics",
                      .data = data});
  }
  return events;
}

std::map<std::string, int> JobStore::jobs_by_state() const {
  const std::lock_guard lock(mutex_);
  auto rows = database_.prepare("SELECT status, count(*) FROM jobs GROUP BY status");
  std::map<std::string, int> states;
  while (rows.step()) states[rows.text(0)] = static_cast<int>(rows.integer(1));
  return states;
}

}  // namespace toolkit::serve

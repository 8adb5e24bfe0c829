#include "core/monitor/history/history.h"

#include <algorithm>
#include <utility>

#include "core/base/paths.h"
#include "core/model_store/utc_time.h"
#include "core/monitor/history/schema.h"

namespace toolkit::monitor {

namespace {

using store::Statement;

constexpr int64_t kHour = 3600;

void bind_or_null(Statement& statement, int at, const std::optional<double>& value) {
  if (value)
    statement.bind(at, *value);
  else
    statement.bind_null(at);
}

std::optional<double> real_or_none(const Statement& statement, int column) {
  if (statement.is_null(column)) return std::nullopt;
  return statement.real(column);
}

std::optional<double> as_real(const std::optional<int64_t>& value) {
  if (!value) return std::nullopt;
  return static_cast<double>(*value);
}

std::optional<int64_t> as_whole(const std::optional<double>& value) {
  if (!value) return std::nullopt;
  return static_cast<int64_t>(*value);
}

/// Times stand as SQLite's CURRENT_TIMESTAMP writes them.
constexpr const char* kInsertSession =
    "INSERT INTO sessions(model_name, started_at, ended_at, avg_tokens_per_sec, total_tokens, "
    "peak_memory_gb) VALUES (?1, datetime(?2, 'unixepoch'), datetime(?3, 'unixepoch'), ?4, ?5, ?6)";
constexpr const char* kUpdateSession =
    "UPDATE sessions SET model_name = ?1, started_at = datetime(?2, 'unixepoch'), ended_at = "
    "datetime(?3, 'unixepoch'), avg_tokens_per_sec = ?4, total_tokens = ?5, peak_memory_gb = ?6 "
    "WHERE id = ?7";
constexpr const char* kMean =
    "sum(%s * weight * (%s IS NOT NULL)) / nullif(sum(weight * (%s IS NOT NULL)), 0)";

constexpr const char* kValues[] = {"tokens_per_second", "gpu_percent", "temperature_c",
                                   "power_w",           "model_bytes", "memory_used_bytes"};

/// "mean of a, mean of b, ..." over the rows of a group.
std::string means() {
  std::string text;
  for (const char* value : kValues) {
    std::string mean = kMean;
    for (size_t at; (at = mean.find("%s")) != mean.npos;) mean.replace(at, 2, value);
    text += ", " + mean;
  }
  return text;
}

std::string value_names() {
  std::string text;
  for (const char* value : kValues) text += std::string(", ") + value;
  return text;
}

void bind_sample(Statement& statement, const Sample& sample) {
  statement.bind(1, int64_t{sample.resolution_s})
      .bind(2, sample.time_s - sample.time_s % sample.resolution_s)
      .bind(3, std::string_view(sample.model));
  bind_or_null(statement, 4, sample.tokens_per_second);
  bind_or_null(statement, 5, sample.gpu_percent);
  bind_or_null(statement, 6, sample.temperature_c);
  bind_or_null(statement, 7, sample.power_w);
  bind_or_null(statement, 8, as_real(sample.model_bytes));
  bind_or_null(statement, 9, as_real(sample.memory_used_bytes));
}

}  // namespace

History::History(store::Database database) : database_(std::move(database)) {}

std::filesystem::path History::default_file() {
  return home_folder() / "mlxdash.db";
}

History History::open(const std::filesystem::path& file) {
  std::filesystem::create_directories(file.parent_path());
  History history(store::Database::open(file, store::OpenMode::kReadWrite));
  store::migrate(history.database_, kHistorySchema);
  return history;
}

History History::open_to_read(const std::filesystem::path& file) {
  return History(store::Database::open(file, store::OpenMode::kReadOnly));
}

void History::write(const std::vector<Sample>& samples, std::vector<Session>& sessions) {
  store::Transaction transaction(database_);
  // The clock may have been set back: the newer value of a second counts.
  Statement insert =
      database_.prepare("INSERT OR REPLACE INTO samples(resolution_s, time_s, model, weight" +
                        value_names() + ") VALUES (?1, ?2, ?3, ?1, ?4, ?5, ?6, ?7, ?8, ?9)");
  for (const Sample& sample : samples) {
    bind_sample(insert, sample);
    insert.run();
  }
  for (Session& session : sessions) {
    Statement statement = database_.prepare(session.id == 0 ? kInsertSession : kUpdateSession);
    statement.bind(1, std::string_view(session.model_name))
        .bind(2, session.started_at_s)
        .bind(3, session.ended_at_s);
    bind_or_null(statement, 4, session.avg_tokens_per_sec);
    statement.bind(5, session.total_tokens);
    bind_or_null(statement, 6, session.peak_memory_gb);
    if (session.id != 0) statement.bind(7, session.id);
    statement.run();
    if (session.id == 0) session.id = database_.last_row_id();
  }
  transaction.commit();
}

int64_t History::add_benchmark(const BenchmarkRecord& record) {
  store::Transaction transaction(database_);
  Statement row = database_.prepare(
      "INSERT INTO benchmarks(model_name, ran_at, avg_tokens_per_sec, p50_latency_ms, "
      "p95_latency_ms, peak_memory_gb, prompt_count) VALUES (?1, datetime(?2, 'unixepoch'), ?3, "
      "?4, ?5, ?6, ?7)");
  row.bind(1, std::string_view(record.model_name)).bind(2, record.ran_at_s);
  bind_or_null(row, 3, record.avg_tokens_per_sec);
  bind_or_null(row, 4, record.p50_latency_ms);
  bind_or_null(row, 5, record.p95_latency_ms);
  bind_or_null(row, 6, record.peak_memory_gb);
  row.bind(7, record.prompt_count).run();
  const int64_t id = database_.last_row_id();
  database_.prepare("INSERT INTO benchmark_details VALUES (?1, ?2, ?3)")
      .bind(1, id)
      .bind(2, std::string_view(record.server))
      .bind(3, std::string_view(record.details))
      .run();
  transaction.commit();
  return id;
}

void History::merge_into(int64_t before_s, int from_resolution_s, int to_resolution_s) {
  const int64_t edge = before_s - before_s % to_resolution_s;  // only whole coarse samples
  const std::string bucket = "(time_s - time_s % " + std::to_string(to_resolution_s) + ")";
  database_
      .prepare("INSERT OR REPLACE INTO samples(resolution_s, time_s, model, weight" +
               value_names() + ") SELECT ?2, " + bucket + ", model, sum(weight)" + means() +
               " FROM samples WHERE resolution_s = ?1 AND time_s < ?3 GROUP BY " + bucket +
               ", model")
      .bind(1, int64_t{from_resolution_s})
      .bind(2, int64_t{to_resolution_s})
      .bind(3, edge)
      .run();
  database_.prepare("DELETE FROM samples WHERE resolution_s = ?1 AND time_s < ?2")
      .bind(1, int64_t{from_resolution_s})
      .bind(2, edge)
      .run();
}

void History::compact(int64_t now_s, int keep_days) {
  store::Transaction transaction(database_);
  merge_into(now_s - kHour, 1, 10);
  merge_into(now_s - 24 * kHour, 10, 60);
  merge_into(now_s - 7 * 24 * kHour, 60, 600);
  const int64_t oldest = now_s - int64_t{keep_days} * model_store::kDaySeconds;
  database_.prepare("DELETE FROM samples WHERE time_s < ?1").bind(1, oldest).run();
  database_.prepare("DELETE FROM sessions WHERE ended_at < datetime(?1, 'unixepoch')")
      .bind(1, oldest)
      .run();
  transaction.commit();
}

std::vector<Session> History::sessions(int64_t from_s, int64_t to_s) const {
  Statement rows = database_.prepare(
      "SELECT id, model_name, unixepoch(started_at), unixepoch(ended_at), avg_tokens_per_sec, "
      "total_tokens, peak_memory_gb FROM sessions WHERE ended_at >= datetime(?1, 'unixepoch') AND "
      "started_at <= datetime(?2, 'unixepoch') ORDER BY started_at");
  rows.bind(1, from_s).bind(2, to_s);
  std::vector<Session> sessions;
  while (rows.step())
    sessions.push_back({.id = rows.integer(0),
                        .model_name = rows.text(1),
                        .started_at_s = rows.integer(2),
                        .ended_at_s = rows.integer(3),
                        .avg_tokens_per_sec = real_or_none(rows, 4),
                        .total_tokens = rows.integer(5),
                        .peak_memory_gb = real_or_none(rows, 6)});
  return sessions;
}

std::vector<BenchmarkRecord> History::benchmarks() const {
  Statement rows = database_.prepare(
      "SELECT id, model_name, unixepoch(ran_at), avg_tokens_per_sec, p50_latency_ms, "
      "p95_latency_ms, peak_memory_gb, prompt_count, server, details FROM benchmarks LEFT JOIN "
      "benchmark_details ON benchmark_id = id ORDER BY id DESC");
  std::vector<BenchmarkRecord> records;
  while (rows.step())
    records.push_back({.id = rows.integer(0),
                       .model_name = rows.text(1),
                       .ran_at_s = rows.integer(2),
                       .avg_tokens_per_sec = real_or_none(rows, 3),
                       .p50_latency_ms = real_or_none(rows, 4),
                       .p95_latency_ms = real_or_none(rows, 5),
                       .peak_memory_gb = real_or_none(rows, 6),
                       .prompt_count = rows.integer(7),
                       .server = rows.text(8),
                       .details = rows.text(9)});
  return records;
}

std::vector<ModelStatistics> History::statistics() const {
  Statement rows = database_.prepare(
      "SELECT model_name, count(*), sum(unixepoch(ended_at) - unixepoch(started_at)), "
      "sum(total_tokens), sum(avg_tokens_per_sec * total_tokens) / "
      "nullif(sum(total_tokens * (avg_tokens_per_sec IS NOT NULL)), 0), max(avg_tokens_per_sec), "
      "max(peak_memory_gb), max(unixepoch(ended_at)) FROM sessions GROUP BY model_name ORDER BY "
      "sum(total_tokens) DESC, model_name");
  std::vector<ModelStatistics> all;
  while (rows.step())
    all.push_back({.model_name = rows.text(0),
                   .sessions = rows.integer(1),
                   .seconds = rows.integer(2),
                   .total_tokens = rows.integer(3),
                   .avg_tokens_per_sec = real_or_none(rows, 4),
                   .best_tokens_per_sec = real_or_none(rows, 5),
                   .peak_memory_gb = real_or_none(rows, 6),
                   .last_used_s = rows.integer(7)});
  return all;
}

std::vector<Sample> History::samples(int64_t from_s, int64_t to_s, const std::string& model,
                                     int points) const {
  const int64_t step = std::max<int64_t>(1, (to_s - from_s) / std::max(points, 1));
  const std::string bucket = "(time_s - time_s % ?3)";
  // Each resolution is a range of the primary key; (none, ...) alone would read the whole table.
  Statement rows = database_.prepare(
      "SELECT " + bucket + ", max(resolution_s), model" + means() +
      " FROM samples WHERE resolution_s IN (1, 10, 60, 600) AND time_s BETWEEN ?1 AND ?2" +
      (model.empty() ? "" : " AND model = ?4") + " GROUP BY " + bucket + ", model ORDER BY 1, 3");
  rows.bind(1, from_s).bind(2, to_s).bind(3, step);
  if (!model.empty()) rows.bind(4, std::string_view(model));
  std::vector<Sample> samples;
  while (rows.step())
    samples.push_back({.time_s = rows.integer(0),
                       .resolution_s = static_cast<int>(std::max(step, rows.integer(1))),
                       .model = rows.text(2),
                       .tokens_per_second = real_or_none(rows, 3),
                       .gpu_percent = real_or_none(rows, 4),
                       .temperature_c = real_or_none(rows, 5),
                       .power_w = real_or_none(rows, 6),
                       .model_bytes = as_whole(real_or_none(rows, 7)),
                       .memory_used_bytes = as_whole(real_or_none(rows, 8))});
  return samples;
}

int64_t History::sample_count() const {
  Statement rows = database_.prepare("SELECT count(*) FROM samples");
  return rows.step() ? rows.integer(0) : 0;
}

}  // namespace toolkit::monitor

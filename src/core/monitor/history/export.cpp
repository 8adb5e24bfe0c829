#include "core/monitor/history/export.h"

#include <fmt/format.h>

#include <limits>

#include "core/base/error.h"
#include "core/model_store/utc_time.h"
#include "core/report/table.h"

namespace toolkit::monitor {

namespace {

using model_store::utc_text;

constexpr int kAllPoints = std::numeric_limits<int>::max();

template <class Value>
Json json_of(const std::optional<Value>& value) {
  return value ? Json(*value) : Json();
}

template <class Value>
std::string cell(const std::optional<Value>& value) {
  return value ? fmt::format("{}", *value) : "";
}

Json json_of(const Session& session) {
  return {{"id", session.id},
          {"model_name", session.model_name},
          {"started_at", utc_text(session.started_at_s)},
          {"ended_at", utc_text(session.ended_at_s)},
          {"avg_tokens_per_sec", json_of(session.avg_tokens_per_sec)},
          {"total_tokens", session.total_tokens},
          {"peak_memory_gb", json_of(session.peak_memory_gb)}};
}

Json json_of(const Sample& sample) {
  return {{"time", utc_text(sample.time_s)},
          {"resolution_s", sample.resolution_s},
          {"model", sample.model},
          {"tokens_per_second", json_of(sample.tokens_per_second)},
          {"gpu_percent", json_of(sample.gpu_percent)},
          {"temperature_c", json_of(sample.temperature_c)},
          {"power_w", json_of(sample.power_w)},
          {"model_bytes", json_of(sample.model_bytes)},
          {"memory_used_bytes", json_of(sample.memory_used_bytes)}};
}

Json json_of(const ModelStatistics& model) {
  return {{"model_name", model.model_name},
          {"sessions", model.sessions},
          {"seconds", model.seconds},
          {"total_tokens", model.total_tokens},
          {"avg_tokens_per_sec", json_of(model.avg_tokens_per_sec)},
          {"best_tokens_per_sec", json_of(model.best_tokens_per_sec)},
          {"peak_memory_gb", json_of(model.peak_memory_gb)},
          {"last_used", utc_text(model.last_used_s)}};
}

template <class Rows>
Json json_list(const Rows& rows) {
  Json list = Json::array();
  for (const auto& row : rows) list.push_back(json_of(row));
  return list;
}

report::Table sessions_table(const History& history, int64_t from_s, int64_t to_s) {
  report::Table table{.header = {"id", "model_name", "started_at", "ended_at", "avg_tokens_per_sec",
                                 "total_tokens", "peak_memory_gb"}};
  for (const Session& one : history.sessions(from_s, to_s))
    table.rows.push_back({std::to_string(one.id), one.model_name, utc_text(one.started_at_s),
                          utc_text(one.ended_at_s), cell(one.avg_tokens_per_sec),
                          std::to_string(one.total_tokens), cell(one.peak_memory_gb)});
  return table;
}

report::Table benchmarks_table(const History& history) {
  report::Table table{.header = {"id", "model_name", "ran_at", "avg_tokens_per_sec",
                                 "p50_latency_ms", "p95_latency_ms", "peak_memory_gb",
                                 "prompt_count", "server"}};
  for (const BenchmarkRecord& one : history.benchmarks())
    table.rows.push_back({std::to_string(one.id), one.model_name, utc_text(one.ran_at_s),
                          cell(one.avg_tokens_per_sec), cell(one.p50_latency_ms),
                          cell(one.p95_latency_ms), cell(one.peak_memory_gb),
                          std::to_string(one.prompt_count), one.server});
  return table;
}

report::Table samples_table(const History& history, int64_t from_s, int64_t to_s) {
  report::Table table{.header = {"time", "resolution_s", "model", "tokens_per_second",
                                 "gpu_percent", "temperature_c", "power_w", "model_bytes",
                                 "memory_used_bytes"}};
  for (const Sample& one : history.samples(from_s, to_s, "", kAllPoints))
    table.rows.push_back({utc_text(one.time_s), std::to_string(one.resolution_s), one.model,
                          cell(one.tokens_per_second), cell(one.gpu_percent),
                          cell(one.temperature_c), cell(one.power_w), cell(one.model_bytes),
                          cell(one.memory_used_bytes)});
  return table;
}

}  // namespace

Json to_json(const BenchmarkRecord& record) {
  return {{"id", record.id},
          {"model_name", record.model_name},
          {"ran_at", utc_text(record.ran_at_s)},
          {"avg_tokens_per_sec", json_of(record.avg_tokens_per_sec)},
          {"p50_latency_ms", json_of(record.p50_latency_ms)},
          {"p95_latency_ms", json_of(record.p95_latency_ms)},
          {"peak_memory_gb", json_of(record.peak_memory_gb)},
          {"prompt_count", record.prompt_count},
          {"server", record.server},
          {"details", Json::parse(record.details, nullptr, /*allow_exceptions=*/false)}};
}

Json history_json(const History& history, int64_t from_s, int64_t to_s, int points) {
  Json benchmarks = Json::array();
  for (const BenchmarkRecord& record : history.benchmarks()) benchmarks.push_back(to_json(record));
  return {
      {"from", utc_text(from_s)},
      {"to", utc_text(to_s)},
      {"sessions", json_list(history.sessions(from_s, to_s))},
      {"benchmarks", std::move(benchmarks)},
      {"models", json_list(history.statistics())},
      {"samples", json_list(history.samples(from_s, to_s, "", points > 0 ? points : kAllPoints))}};
}

std::string history_csv(const History& history, const std::string& table, int64_t from_s,
                        int64_t to_s) {
  if (table == "sessions") return report::to_csv(sessions_table(history, from_s, to_s));
  if (table == "benchmarks") return report::to_csv(benchmarks_table(history));
  if (table == "samples") return report::to_csv(samples_table(history, from_s, to_s));
  fail(ErrorKind::kUserInput, "expected a table (sessions, benchmarks, samples), found '{}'",
       table);
}

}  // namespace toolkit::monitor

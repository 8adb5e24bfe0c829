#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/model_store/utc_time.h"
#include "core/monitor/history/export.h"
#include "core/report/table.h"
#include "projects/dash/command.h"

namespace toolkit::dash {

namespace {

using monitor::History;

struct Settings {
  int days = 7;
};

std::string shown(const std::optional<double>& value) {
  return value ? fmt::format("{:.1f}", *value) : "-";
}

std::string shown_duration(int64_t seconds) {
  if (seconds < 3600) return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
  return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string page(const History& history, int64_t from_s, int64_t now_s) {
  report::Table models{.header = {"Model", "Sessions", "Time", "Tokens", "tok/s", "best", "GB"}};
  for (const auto& one : history.statistics())
    models.rows.push_back({one.model_name, std::to_string(one.sessions),
                           shown_duration(one.seconds), std::to_string(one.total_tokens),
                           shown(one.avg_tokens_per_sec), shown(one.best_tokens_per_sec),
                           shown(one.peak_memory_gb)});
  report::Table sessions{.header = {"Began", "Lasted", "Model", "Tokens", "tok/s", "GB"}};
  for (const auto& one : history.sessions(from_s, now_s))
    sessions.rows.push_back({model_store::utc_text(one.started_at_s),
                             shown_duration(one.ended_at_s - one.started_at_s), one.model_name,
                             std::to_string(one.total_tokens), shown(one.avg_tokens_per_sec),
                             shown(one.peak_memory_gb)});
  report::Table benchmarks{.header = {"Benchmark", "Model", "tok/s", "p50 ms", "p95 ms", "GB"}};
  for (const auto& one : history.benchmarks())
    benchmarks.rows.push_back({model_store::utc_text(one.ran_at_s), one.model_name,
                               shown(one.avg_tokens_per_sec), shown(one.p50_latency_ms),
                               shown(one.p95_latency_ms), shown(one.peak_memory_gb)});
  std::string text;
  for (const report::Table* table : {&models, &sessions, &benchmarks})
    if (!table->rows.empty()) text += (text.empty() ? "" : "\n") + report::to_text(*table);
  return text.empty() ? "Nothing recorded yet: `mlx-dash watch` or the tray item records.\n" : text;
}

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  const int64_t now_s = model_store::now_s();
  const int64_t from_s = now_s - settings.days * model_store::kDaySeconds;
  if (!std::filesystem::exists(History::default_file())) {
    if (!context.quiet)
      fmt::print("Nothing recorded yet: `mlx-dash watch` or the tray item records.\n");
    return {{"sessions", nlohmann::json::array()}};
  }
  const History history = History::open_to_read(History::default_file());
  if (!context.quiet) fmt::print("{}", page(history, from_s, now_s));
  return context.json ? monitor::history_json(history, from_s, now_s) : nlohmann::json();
}

}  // namespace

cli::Command history_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "history",
          .summary = "show sessions, models and benchmarks of the last days",
          .examples = {"mlx-dash history", "mlx-dash history --days 30"},
          .fields = {{.name = "days",
                      .target = &settings->days,
                      .help = "how many days back",
                      .minimum = 1,
                      .maximum = 3650}},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::dash

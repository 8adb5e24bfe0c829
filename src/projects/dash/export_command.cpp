#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/paths.h"
#include "core/model_store/utc_time.h"
#include "core/monitor/history/export.h"
#include "projects/dash/command.h"

namespace toolkit::dash {

namespace {

struct Settings {
  std::string format = "json", table = "sessions", output;
  int days = 30, points = 0;
};

nlohmann::json run(const Settings& settings, const cli::Context& context) {
  using monitor::History;
  const int64_t now_s = model_store::now_s();
  const int64_t from_s = now_s - settings.days * model_store::kDaySeconds;
  if (!std::filesystem::exists(History::default_file()))
    fail(ErrorKind::kNotFound, "nothing recorded yet: `mlx-dash watch` or the tray item records");
  const History history = History::open_to_read(History::default_file());
  if (context.json && settings.output.empty())
    return monitor::history_json(history, from_s, now_s, settings.points);
  const std::string text =
      settings.format == "csv"
          ? monitor::history_csv(history, settings.table, from_s, now_s)
          : monitor::history_json(history, from_s, now_s, settings.points).dump(1) + "\n";
  if (settings.output.empty()) {
    fmt::print("{}", text);
    return nlohmann::json();
  }
  write_file_atomically(expanded_path(settings.output), text);
  if (!context.quiet)
    fmt::print("{} bytes written to {}\n", text.size(), shown_path(settings.output));
  return {{"output", settings.output}, {"bytes", text.size()}};
}

}  // namespace

cli::Command export_command() {
  const auto settings = std::make_shared<Settings>();
  return {.name = "export",
          .summary = "write the history as JSON or CSV",
          .examples = {"mlx-dash export --output history.json",
                       "mlx-dash export --format csv --table benchmarks --output benchmarks.csv"},
          .fields = {{.name = "format",
                      .target = &settings->format,
                      .help = "json: everything; csv: one table",
                      .choices = {"json", "csv"}},
                     {.name = "table",
                      .target = &settings->table,
                      .help = "which table, for csv",
                      .choices = {"sessions", "benchmarks", "samples"}},
                     {.name = "days",
                      .target = &settings->days,
                      .help = "how many days back",
                      .minimum = 1,
                      .maximum = 3650},
                     {.name = "points",
                      .target = &settings->points,
                      .help = "samples of a model, at most, for json (0: all)",
                      .minimum = 0},
                     {.name = "output",
                      .target = &settings->output,
                      .help = "the file (none: the terminal)",
                      .short_name = "o"}},
          .run = [settings](const cli::Context& context) { return run(*settings, context); }};
}

}  // namespace toolkit::dash

#include "projects/track/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/paths.h"
#include "projects/track/config.h"
#include "projects/track/run_folder.h"
#include "projects/track/run_pages.h"
#include "projects/track/schema.h"

namespace toolkit::track {

namespace {

RunStore open_store() {
  RunStore store(open_tracking_database());
  record_missing_runs(store);
  return store;
}

bool talks(const cli::Context& context) {
  return !context.json && !context.quiet;
}

std::vector<Run> picked(RunStore& store, const std::vector<std::string>& ids) {
  std::vector<Run> runs;
  for (const std::string& id : ids) runs.push_back(store.find(id));
  return runs;
}

void sort_runs(std::vector<Run>& runs, const ListConfig& config) {
  if (config.sort == "started") {
    if (config.ascending) std::reverse(runs.begin(), runs.end());
    return;
  }
  const bool known = std::any_of(runs.begin(), runs.end(), [&](const Run& run) {
    return run.number(config.sort).has_value();
  });
  if (!known && !runs.empty())
    fail(ErrorKind::kUserInput,
         "--sort {}: none of these runs has such a number; `runs show ID` lists what a run has",
         config.sort);
  // Runs without the number come last, whatever the direction.
  std::stable_sort(runs.begin(), runs.end(), [&](const Run& a, const Run& b) {
    const auto left = a.number(config.sort), right = b.number(config.sort);
    if (!left || !right) return left.has_value() && !right.has_value();
    return config.ascending ? *left < *right : *left > *right;
  });
}

Json list(const ListConfig& config, const cli::Context& context) {
  RunStore store = open_store();
  std::vector<Run> runs = store.list({.kind = config.kind,
                                      .status = config.status,
                                      .model = config.model,
                                      .parent = config.parent,
                                      .since = since_time(config.since)});
  sort_runs(runs, config);
  const size_t all = runs.size();
  if (config.limit > 0 && runs.size() > static_cast<size_t>(config.limit))
    runs.resize(static_cast<size_t>(config.limit));
  if (talks(context) && config.csv) {
    fmt::print("{}", report::to_csv(list_table(runs)));
  } else if (talks(context) && runs.empty()) {
    fmt::print("No such run in {}. Every `mlx-toolkit finetune` is kept there.\n",
               shown_path(home_folder() / "toolkit.db"));
  } else if (talks(context)) {
    fmt::print("{}", report::to_text(list_table(runs)));
    if (runs.size() < all) fmt::print("{} of {} runs; --limit 0 for all\n", runs.size(), all);
  }
  Json json = {{"count", all}, {"runs", Json::array()}};
  for (const Run& run : runs) json["runs"].push_back(run_json(run, nullptr));
  return json;
}

Json show(const PickConfig& config, const cli::Context& context) {
  RunStore store = open_store();
  Json json = {{"runs", Json::array()}};
  for (const Run& run : picked(store, config.ids)) {
    const auto metrics = store.metrics(run.start.id);
    if (talks(context)) fmt::print("{}", run_page(run, metrics));
    json["runs"].push_back(run_json(run, &metrics));
  }
  return json;
}

Json compare_runs(const CompareConfig& config, const cli::Context& context) {
  if (config.ids.size() < 2)
    fail(ErrorKind::kUserInput, "runs compare needs two runs or more; `runs list` shows them");
  RunStore store = open_store();
  const std::vector<Run> runs = picked(store, config.ids);
  std::vector<std::map<std::string, MetricSeries>> metrics;
  for (const Run& run : runs) metrics.push_back(store.metrics(run.start.id));
  const Comparison comparison = compare(runs);
  write_file_atomically(config.plot, loss_plot(runs, metrics));
  if (talks(context) && config.csv) {
    fmt::print("{}\n{}", report::to_csv(comparison.settings), report::to_csv(comparison.results));
  } else if (talks(context)) {
    fmt::print("{}\n{}\nLoss curves: {}\n",
               comparison.settings.rows.empty() ? "The settings are the same.\n"
                                                : report::to_text(comparison.settings),
               report::to_text(comparison.results), config.plot);
  }
  Json json = {{"plot", config.plot}, {"runs", Json::array()}};
  for (size_t i = 0; i < runs.size(); ++i) json["runs"].push_back(run_json(runs[i], &metrics[i]));
  return json;
}

Json export_runs(const ExportConfig& config, const cli::Context& context) {
  RunStore store = open_store();
  const std::vector<Run> runs = config.ids.empty() ? store.list({}) : picked(store, config.ids);
  Json json = {{"runs", Json::array()}};
  std::string text;
  if (config.format == "csv") {
    text = report::to_csv(export_table(runs));
  } else {
    for (const Run& run : runs) {
      const auto metrics = store.metrics(run.start.id);
      json["runs"].push_back(run_json(run, &metrics));
    }
    text = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  if (config.output.empty()) {
    if (talks(context)) fmt::print("{}", text);
    return config.format == "csv" ? Json{{"csv", text}} : json;
  }
  write_file_atomically(config.output, text);
  if (talks(context)) fmt::print("{} runs written to {}\n", runs.size(), config.output);
  return {{"output", config.output}, {"runs", runs.size()}};
}

Json tag(const TagConfig& config, const cli::Context& context) {
  RunStore store = open_store();
  const Run run = store.find(config.id);
  for (const std::string& entry : config.tags) {
    const size_t sign = entry.find('=');
    if (sign == 0) fail(ErrorKind::kUserInput, "'{}': expected name=value", entry);
    store.set_tag(run.start.id, entry.substr(0, sign),
                  sign == std::string::npos ? "" : entry.substr(sign + 1));
  }
  const Run after = store.find(run.start.id);
  if (talks(context)) fmt::print("Run {} has {} tags.\n", after.start.id, after.tags.size());
  return run_json(after, nullptr);
}

Json remove(const PickConfig& config, const cli::Context& context) {
  RunStore store = open_store();
  const std::vector<Run> runs = picked(store, config.ids);
  for (const Run& run : runs) {
    if (run.status == "running")
      fail(ErrorKind::kUserInput, "run {} is running (process {}); end it first", run.start.id,
           run.start.pid);
  }
  Json json = {{"deleted", Json::array()}};
  for (const Run& run : runs) {
    store.remove(run.start.id);
    forget_folder(run.start);
    json["deleted"].push_back(run.start.id);
    if (talks(context))
      fmt::print("Run {} is deleted from the list; its files stay in {}\n", run.start.id,
                 shown_path(run.start.folder));
  }
  return json;
}

Json rebuild_store(const RebuildConfig& config, const cli::Context& context) {
  const RebuildReport report = rebuild_database({config.folders.begin(), config.folders.end()});
  if (talks(context)) {
    fmt::print("{} runs recorded in {}\n", report.recorded,
               shown_path(home_folder() / "toolkit.db"));
    if (!report.set_aside.empty())
      fmt::print("the damaged database is kept as {}\n", shown_path(report.set_aside));
    for (const std::string& line : report.left_out) fmt::print("left out: {}\n", line);
  }
  return {{"recorded", report.recorded},
          {"left_out", report.left_out},
          {"set_aside", report.set_aside.string()}};
}

template <class Settings>
cli::Command verb(const char* name, const char* summary, std::vector<std::string> examples,
                  Json (*run)(const Settings&, const cli::Context&)) {
  const auto config = std::make_shared<Settings>();
  return {.name = name,
          .summary = summary,
          .examples = std::move(examples),
          .fields = describe(*config),
          .run = [config, run](const cli::Context& context) { return run(*config, context); }};
}

}  // namespace

cli::Command runs_command() {
  cli::Command command;
  command.name = "runs";
  command.summary = "what ran: list, show, compare, export";
  command.examples = {"mlx-toolkit runs list", "mlx-toolkit runs compare k7m2 p9xq"};
  command.subcommands = {
      verb<ListConfig>("list", "runs with their result, newest first",
                       {"mlx-toolkit runs list --kind finetune --since 7d",
                        "mlx-toolkit runs list --sort validation_loss_after --ascending",
                        "mlx-toolkit runs list --parent k7m2pq  # the trials of a search"},
                       list),
      verb<PickConfig>("show", "settings, result, metrics and files of a run",
                       {"mlx-toolkit runs show k7m2"}, show),
      verb<CompareConfig>("compare", "what differs: settings, results, loss curves",
                          {"mlx-toolkit runs compare k7m2 p9xq --plot curves.svg"}, compare_runs),
      verb<ExportConfig>("export", "runs as JSON or CSV",
                         {"mlx-toolkit runs export --format csv -o runs.csv",
                          "mlx-toolkit runs export k7m2 > run.json"},
                         export_runs),
      verb<TagConfig>("tag", "mark a run", {"mlx-toolkit runs tag k7m2 keep note=first"}, tag),
      verb<PickConfig>("delete", "take runs off the list; their files stay",
                       {"mlx-toolkit runs delete k7m2"}, remove),
      verb<RebuildConfig>("rebuild", "make the list again from the runs' folders",
                          {"mlx-toolkit runs rebuild", "mlx-toolkit runs rebuild ~/experiments"},
                          rebuild_store)};
  return command;
}

}  // namespace toolkit::track

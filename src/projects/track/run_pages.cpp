#include "projects/track/run_pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/base/progress_line.h"
#include "core/files/safe_path.h"
#include "core/report/line_plot.h"

namespace toolkit::track {

namespace {

// Texts of runs come from files that others may have written.
std::string shown(const std::string& text, size_t limit = 60) {
  const std::string safe = files::escaped(text);
  return safe.size() <= limit ? safe : "..." + safe.substr(safe.size() - limit + 3);
}

std::string shown(const Json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return shown(value.get<std::string>());
  if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
  return shown(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string fixed(const std::optional<double>& value, int digits, const char* unit = "") {
  return value ? fmt::format("{:.{}f}{}", *value, digits, unit) : "";
}

std::optional<double> loss_of(const Run& run) {
  for (const char* name : {"validation_loss_after", "loss", "best_loss"}) {
    if (const auto value = run.number(name)) return value;
  }
  return {};
}

/// Numbers of a result by dotted name: {"quality": {"loss": 1}} is quality.loss.
void flatten(const Json& object, const std::string& prefix, std::map<std::string, Json>& flat) {
  for (const auto& [name, value] : object.items()) {
    if (value.is_object())
      flatten(value, prefix + name + ".", flat);
    else if (value.is_number() || value.is_boolean() ||
             (value.is_string() && value.get_ref<const std::string&>().size() < 40))
      flat[prefix + name] = value;
  }
}

std::map<std::string, Json> flat_results(const Run& run) {
  std::map<std::string, Json> flat;
  flatten(run.summary, "", flat);
  return flat;
}

std::map<std::string, Json> settings_of(const Run& run) {
  std::map<std::string, Json> settings;
  for (const auto& [name, value] : run.parameters.items()) settings[name] = value;
  return settings;
}

/// A row for every name whose values are not all equal (or every one, if `all`).
report::Table side_by_side(const std::vector<Run>& runs,
                           const std::vector<std::map<std::string, Json>>& values,
                           const std::string& heading) {
  report::Table table{.header = {heading}};
  for (const Run& run : runs) table.header.push_back(run.start.id);
  std::set<std::string> names;
  for (const auto& one : values) {
    for (const auto& [name, value] : one) names.insert(name);
  }
  for (const std::string& name : names) {
    std::vector<std::string> row{shown(name)};
    std::set<std::string> different;
    for (const auto& one : values) {
      const auto found = one.find(name);
      row.push_back(found == one.end() ? "-" : shown(found->second));
      different.insert(found == one.end() ? "" : found->second.dump());
    }
    if (different.size() > 1) table.rows.push_back(std::move(row));
  }
  return table;
}

report::Series smoothed(const std::string& name, const MetricSeries& points) {
  report::Series series{.name = name};
  const size_t window = std::max<size_t>(1, points.size() / 20);
  double sum = 0;
  for (size_t i = 0; i < points.size(); ++i) {
    sum += points[i].second;
    if (i >= window) sum -= points[i - window].second;
    series.x.push_back(static_cast<double>(points[i].first));
    series.y.push_back(sum / static_cast<double>(std::min(i + 1, window)));
  }
  return series;
}

}  // namespace

report::Table list_table(const std::vector<Run>& runs) {
  report::Table table{.header = {"id", "what", "status", "model", "started (UTC)", "took", "loss",
                                 "tokens/s", "memory", "parent"}};
  for (const Run& run : runs) {
    const auto memory = run.number("peak_rss_bytes");
    std::string started = run.start.started.substr(0, 16);
    std::replace(started.begin(), started.end(), 'T', ' ');
    table.rows.push_back(
        {run.start.id, shown(run.start.kind), shown(run.status), shown(run.model(), 28),
         shown(started), run.seconds ? shown_duration(*run.seconds) : "", fixed(loss_of(run), 4),
         fixed(run.number("tokens_per_second"), 0),
         memory ? fmt::format("{:.2f} GB", *memory / 1e9) : "", shown(run.start.parent)});
  }
  return table;
}

std::string run_page(const Run& run, const std::map<std::string, MetricSeries>& metrics) {
  const auto line = [](const std::string& name, const std::string& value) {
    return fmt::format("  {:<26}{}\n", name, value);
  };
  std::string page =
      fmt::format("Run {}: {}, {}\n", run.start.id, shown(run.start.kind), shown(run.status));
  page += line("folder", shown(run.start.folder.string(), 200));
  page += line("started", shown(run.start.started));
  if (!run.ended.empty()) page += line("ended", shown(run.ended));
  if (run.seconds) page += line("took", shown_duration(*run.seconds));
  if (!run.start.parent.empty()) page += line("trial of", shown(run.start.parent));
  for (const auto& [name, value] : run.tags)
    page += line("tag", value.empty() ? shown(name) : shown(name + "=" + value, 200));
  page += "\nSettings\n";
  for (const auto& [name, value] : run.parameters.items()) page += line(shown(name), shown(value));
  page += "\nResult\n";
  for (const auto& [name, value] : flat_results(run)) page += line(shown(name), shown(value));
  if (run.summary.contains("error")) page += line("error", shown(run.summary["error"]));
  if (!metrics.empty()) page += "\nMetrics (first, last, lowest, points)\n";
  for (const auto& [name, points] : metrics) {
    if (points.empty()) continue;
    const auto lowest =
        std::min_element(points.begin(), points.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    page += line(shown(name),
                 fmt::format("{:.5g}  {:.5g}  {:.5g} at step {}  {}", points.front().second,
                             points.back().second, lowest->second, lowest->first, points.size()));
  }
  if (!run.artifacts.empty()) page += "\nFiles\n";
  for (const Artifact& artifact : run.artifacts)
    page += line(shown(artifact.description), shown(artifact.path, 200));
  return page;
}

Comparison compare(const std::vector<Run>& runs) {
  std::vector<std::map<std::string, Json>> settings, results;
  for (const Run& run : runs) {
    settings.push_back(settings_of(run));
    results.push_back(flat_results(run));
    results.back()["status"] = run.status;
    if (run.seconds) results.back()["seconds"] = *run.seconds;
  }
  return {.settings = side_by_side(runs, settings, "setting"),
          .results = side_by_side(runs, results, "result")};
}

std::string loss_plot(const std::vector<Run>& runs,
                      const std::vector<std::map<std::string, MetricSeries>>& metrics) {
  report::LinePlot plot{.title = "Loss of the runs", .x_label = "step", .y_label = "loss"};
  for (size_t i = 0; i < runs.size(); ++i) {
    if (const auto found = metrics[i].find("train_loss"); found != metrics[i].end())
      plot.series.push_back(smoothed(runs[i].start.id + " training", found->second));
    if (const auto found = metrics[i].find("validation_loss"); found != metrics[i].end()) {
      report::Series points{.name = runs[i].start.id + " validation", .markers = true};
      for (const auto& [step, value] : found->second) {
        points.x.push_back(static_cast<double>(step));
        points.y.push_back(value);
      }
      plot.series.push_back(std::move(points));
    }
  }
  return report::to_svg(plot);
}

Json run_json(const Run& run, const std::map<std::string, MetricSeries>* metrics) {
  Json json = {{"id", run.start.id},         {"kind", run.start.kind},
               {"status", run.status},       {"folder", run.start.folder.string()},
               {"parent", run.start.parent}, {"started", run.start.started},
               {"ended", run.ended},         {"seconds", nullptr},
               {"host", run.start.host},     {"parameters", run.parameters},
               {"summary", run.summary},     {"tags", run.tags},
               {"artifacts", Json::array()}};
  if (run.seconds) json["seconds"] = *run.seconds;
  for (const Artifact& artifact : run.artifacts)
    json["artifacts"].push_back({{"path", artifact.path}, {"description", artifact.description}});
  if (metrics) json["metrics"] = *metrics;
  return json;
}

report::Table export_table(const std::vector<Run>& runs) {
  std::set<std::string> settings, results;
  for (const Run& run : runs) {
    for (const auto& [name, value] : run.parameters.items()) settings.insert(name);
    for (const auto& [name, value] : flat_results(run)) results.insert(name);
  }
  report::Table table{.header = {"id", "kind", "status", "parent", "started", "ended", "seconds"}};
  for (const std::string& name : settings) table.header.push_back("parameters." + name);
  for (const std::string& name : results) table.header.push_back("summary." + name);
  const auto text = [](const Json& value) {
    return value.is_null()     ? ""
           : value.is_string() ? value.get<std::string>()
                               : value.dump(-1, ' ', false, Json::error_handler_t::replace);
  };
  for (const Run& run : runs) {
    table.rows.push_back({run.start.id, run.start.kind, run.status, run.start.parent,
                          run.start.started, run.ended,
                          run.seconds ? fmt::format("{:.3f}", *run.seconds) : ""});
    const auto flat = flat_results(run);
    for (const std::string& name : settings)
      table.rows.back().push_back(run.parameters.contains(name) ? text(run.parameters[name]) : "");
    for (const std::string& name : results) {
      const auto found = flat.find(name);
      table.rows.back().push_back(found == flat.end() ? "" : text(found->second));
    }
  }
  return table;
}

}  // namespace toolkit::track

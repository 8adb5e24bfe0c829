#include "projects/compare/plots.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>

#include "core/base/json.h"
#include "core/report/bar_plot.h"
#include "core/report/interval_plot.h"
#include "core/report/line_plot.h"

namespace toolkit::compare {

namespace {

std::string loss_plot(const Comparison& comparison) {
  std::vector<report::Interval> intervals;
  const auto add = [&](const Entry& entry) {
    if (!entry.measured()) return;
    intervals.push_back({.name = entry.method,
                         .value = entry.loss.value,
                         .low = entry.loss.low,
                         .high = entry.loss.high,
                         .text = fmt::format("{:.4f}", entry.loss.value),
                         .highlight = entry.method == comparison.recommendation.method});
  };
  if (comparison.base) add(*comparison.base);
  for (const Entry& entry : comparison.entries) add(entry);
  return report::to_svg("Validation loss with its 95 % interval", "nats per token", intervals);
}

std::string trade_off_plot(const Comparison& comparison) {
  report::LinePlot plot{.title = "Loss against time",
                        .x_label = "seconds of the whole run",
                        .y_label = "validation loss (nats per token)"};
  for (const Entry& entry : comparison.entries)
    if (entry.measured())
      plot.series.push_back(
          {.name = entry.method, .x = {entry.seconds}, .y = {entry.loss.value}, .markers = true});
  return plot.series.size() < 2 ? "" : report::to_svg(plot);
}

std::string bars(const Comparison& comparison, const std::string& title, double Entry::* value,
                 double limit, std::string (*shown)(double)) {
  std::vector<report::Bar> list;
  for (const Entry& entry : comparison.entries)
    if (std::isfinite(entry.*value))
      list.push_back({.name = entry.method, .value = entry.*value, .text = shown(entry.*value)});
  if (list.empty()) return "";
  std::optional<report::BarLimit> line;
  if (limit > 0) line = {.value = limit, .text = "allowed: " + shown(limit)};
  return report::to_svg(title, list, line);
}

/// "train_loss" of metrics.jsonl, as steps and values. A file that ends in the middle of a line is
/// read up to there.
report::Series training_losses(const Comparison& comparison, const std::string& method) {
  report::Series series{.name = method};
  std::ifstream file(comparison.folder(method) / "adapter" / "metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    const Json metric = Json::parse(line, nullptr, false);
    if (!metric.is_object() || metric.value("name", Json()) != "train_loss") continue;
    if (!metric.value("step", Json()).is_number() || !metric.value("value", Json()).is_number())
      continue;
    series.x.push_back(metric["step"]);
    series.y.push_back(metric["value"]);
  }
  return series;
}

std::string training_plot(const Comparison& comparison) {
  report::LinePlot plot{.title = "Training loss", .x_label = "step", .y_label = "nats per token"};
  for (const Entry& entry : comparison.entries) {
    report::Series series = training_losses(comparison, entry.method);
    if (series.x.size() > 1) plot.series.push_back(std::move(series));
  }
  return plot.series.empty() ? "" : report::to_svg(plot);
}

}  // namespace

std::vector<std::string> plots(const Comparison& comparison) {
  const Constraints& limits = comparison.bench.constraints;
  std::vector<std::string> all = {
      loss_plot(comparison),
      trade_off_plot(comparison),
      bars(comparison, "Peak memory", &Entry::peak_bytes, limits.memory_bytes, shown_size),
      bars(comparison, "Time of the whole run", &Entry::seconds, limits.seconds, shown_seconds),
      bars(comparison, "What is written", &Entry::adapter_bytes, limits.adapter_bytes, shown_size),
      training_plot(comparison)};
  std::erase(all, "");
  return all;
}

}  // namespace toolkit::compare

#include "projects/compare/page.h"

#include <fmt/format.h>

#include <cmath>

#include "core/base/paths.h"

namespace toolkit::compare {

namespace {

std::string number(double value, const char* format) {
  return std::isfinite(value) ? fmt::format(fmt::runtime(format), value) : "";
}

Json json_number(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

std::string parameters(double count) {
  if (!std::isfinite(count)) return "";
  return count >= 1e6 ? fmt::format("{:.1f} M", count / 1e6) : fmt::format("{:.0f}", count);
}

std::vector<const Entry*> all_entries(const Comparison& comparison) {
  std::vector<const Entry*> all;
  if (comparison.base) all.push_back(&*comparison.base);
  for (const Entry& entry : comparison.entries) all.push_back(&entry);
  return all;
}

const std::vector<TaskScore>& task_columns(const Comparison& comparison) {
  static const std::vector<TaskScore> none;
  return comparison.base ? comparison.base->tasks : none;
}

std::string loss_text(const Entry& entry) {
  if (!std::isfinite(entry.loss.value)) return "";
  return fmt::format("{:.4f} ({:.4f} .. {:.4f})", entry.loss.value, entry.loss.low,
                     entry.loss.high);
}

Json entry_json(const Entry& entry, const Constraints& constraints) {
  Json json = {{"method", entry.method},
               {"state", state_name(entry.state)},
               {"reason", entry.reason.empty() ? Json() : Json(entry.reason)},
               {"run", entry.run},
               {"keeps_constraints", obstacle(entry, constraints).empty()},
               {"seconds", json_number(entry.seconds)},
               {"tokens_per_second", json_number(entry.tokens_per_second)},
               {"peak_rss_bytes", json_number(entry.peak_bytes)},
               {"planned_bytes", json_number(entry.planned_bytes)},
               {"trainable_parameters", json_number(entry.trainable_parameters)},
               {"adapter_bytes", json_number(entry.adapter_bytes)},
               {"tokens", json_number(entry.tokens)},
               {"validation_loss", json_number(entry.loss.value)},
               {"tasks", Json::array()}};
  if (std::isfinite(entry.loss.value)) {
    json["validation_loss_interval"] = {entry.loss.low, entry.loss.high};
    json["perplexity"] = std::exp(entry.loss.value);
  }
  for (const TaskScore& task : entry.tasks)
    json["tasks"].push_back({{"task", task.task},
                             {"metric", task.metric},
                             {"value", task.score.value},
                             {"error", task.score.error}});
  return json;
}

}  // namespace

report::Table result_table(const Comparison& comparison) {
  report::Table table{.header = {"method", "loss (95 %)", "perplexity"}};
  for (const TaskScore& task : task_columns(comparison))
    table.header.push_back(task.task + " " + task.metric);
  for (const char* name : {"time", "tokens/s", "memory", "planned", "parameters", "adapter"})
    table.header.emplace_back(name);
  for (const Entry* entry : all_entries(comparison)) {
    std::vector<std::string> row = {entry->method};
    row.push_back(entry->measured() ? loss_text(*entry) : state_name(entry->state));
    row.push_back(number(std::exp(entry->loss.value), "{:.2f}"));
    for (size_t i = 0; i < task_columns(comparison).size(); ++i)
      row.push_back(i < entry->tasks.size()
                        ? fmt::format("{:.3f} +- {:.3f}", entry->tasks[i].score.value,
                                      entry->tasks[i].score.error)
                        : "");
    const auto size = [](double bytes) { return std::isfinite(bytes) ? shown_size(bytes) : ""; };
    row.push_back(std::isfinite(entry->seconds) ? shown_seconds(entry->seconds) : "");
    row.push_back(number(entry->tokens_per_second, "{:.0f}"));
    row.push_back(size(entry->peak_bytes));
    row.push_back(size(entry->planned_bytes));
    row.push_back(parameters(entry->trainable_parameters));
    row.push_back(size(entry->adapter_bytes));
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string to_page(const Comparison& comparison) {
  if (!comparison.base) return "Interrupted before anything was measured.\n";
  std::string page = report::to_text(result_table(comparison));
  const Recommendation& choice = comparison.recommendation;
  page += choice.method.empty() ? "\nNo recommendation\n"
                                : fmt::format("\nRecommended: {}\n", choice.method);
  for (const std::string& reason : choice.reasons) page += "  " + reason + "\n";
  page += fmt::format("\nReport: {}   (figures: results.json, results.csv)\n",
                      shown_path(comparison.file("report.html")));
  if (!choice.method.empty())
    page += fmt::format("Try it: mlx-toolkit chat -m {} -a {}\n", comparison.config.model,
                        shown_path(comparison.folder(choice.method) / "adapter"));
  if (comparison.status == "interrupted")
    page += "Interrupted; the same command with --resume goes on.\n";
  return page;
}

Json to_json(const Comparison& comparison) {
  const Constraints& limits = comparison.bench.constraints;
  Json json = {
      {"status", comparison.status},
      {"model", comparison.config.model},
      {"data", comparison.config.data},
      {"goal", comparison.config.goal},
      {"constraints",
       {{"memory_bytes", limits.memory_bytes > 0 ? Json(limits.memory_bytes) : Json()},
        {"seconds", limits.seconds > 0 ? Json(limits.seconds) : Json()},
        {"adapter_bytes", limits.adapter_bytes > 0 ? Json(limits.adapter_bytes) : Json()}}},
      {"base", nullptr},
      {"methods", Json::array()},
      {"recommended", nullptr},
      {"reasons", comparison.recommendation.reasons},
      {"report", comparison.file("report.html").string()}};
  if (comparison.base) {
    json["base"] = entry_json(*comparison.base, {});
    json["validation_loss_before"] = json["base"]["validation_loss"];
  }
  for (const Entry& entry : comparison.entries) {
    json["methods"].push_back(entry_json(entry, limits));
    if (entry.method != comparison.recommendation.method) continue;
    json["recommended"] = entry.method;
    json["validation_loss_after"] = entry.loss.value;
  }
  return json;
}

std::string to_csv(const Comparison& comparison) {
  report::Table table{.header = {"method", "state", "reason", "run", "validation_loss", "loss_low",
                                 "loss_high", "seconds", "tokens_per_second", "peak_rss_bytes",
                                 "planned_bytes", "trainable_parameters", "adapter_bytes",
                                 "tokens"}};
  for (const TaskScore& task : task_columns(comparison)) {
    table.header.push_back(task.task + "_" + task.metric);
    table.header.push_back(task.task + "_" + task.metric + "_error");
  }
  for (const Entry* entry : all_entries(comparison)) {
    const bool judged = std::isfinite(entry->loss.value);
    std::vector<std::string> row = {entry->method,
                                    state_name(entry->state),
                                    entry->reason,
                                    entry->run,
                                    number(entry->loss.value, "{:.6f}"),
                                    judged ? number(entry->loss.low, "{:.6f}") : "",
                                    judged ? number(entry->loss.high, "{:.6f}") : ""};
    for (const double value : {entry->seconds, entry->tokens_per_second})
      row.push_back(number(value, "{:.3f}"));
    for (const double value : {entry->peak_bytes, entry->planned_bytes, entry->trainable_parameters,
                               entry->adapter_bytes, entry->tokens})
      row.push_back(number(value, "{:.0f}"));
    for (const TaskScore& task : entry->tasks) {
      row.push_back(number(task.score.value, "{:.6f}"));
      row.push_back(number(task.score.error, "{:.6f}"));
    }
    table.rows.push_back(std::move(row));
  }
  return report::to_csv(table);
}

}  // namespace toolkit::compare

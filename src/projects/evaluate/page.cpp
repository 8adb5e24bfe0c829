#include "projects/evaluate/page.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/report/table.h"

namespace toolkit::evaluate {

namespace {

using Json = nlohmann::json;

std::string with_interval(const engine::Estimate& estimate, int digits) {
  return fmt::format("{:.{}f}  ({:.{}f} .. {:.{}f})", estimate.value, digits, estimate.low, digits,
                     estimate.high, digits);
}

std::string with_error(const std::optional<engine::Score>& score, const char* sign = "") {
  if (!score) return "";
  return *sign ? fmt::format("{:+.3f} +- {:.3f}", score->value, score->error)
               : fmt::format("{:.3f} +- {:.3f}", score->value, score->error);
}

const char* verdict(int sign) {
  return sign > 0 ? "better" : sign < 0 ? "worse" : "no clear difference";
}

std::string rows_part(const Config& config, const Result& result) {
  report::Table table{.header = {"", "loss per token (95 %)", "perplexity (95 %)"}};
  const auto add = [&](const char* name, const std::optional<Quality>& quality) {
    if (quality)
      table.rows.push_back(
          {name, with_interval(quality->loss, 4), with_interval(quality->perplexity, 2)});
  };
  add(config.adapter.empty() ? "model" : "base", result.base);
  add("tuned", result.tuned);
  std::string page =
      fmt::format("{} on {}: {} rows, {} supervised of {} tokens, {:.0f} tokens/s\n\n{}",
                  config.model, result.split, result.rows, result.supervised_tokens, result.tokens,
                  result.tokens_per_second, report::to_text(table));
  if (result.reduction) {
    const engine::Estimate& gain = *result.reduction;
    const char* words = gain.low > 0.0    ? "the adapter helps"
                        : gain.high < 0.0 ? "the adapter hurts"
                                          : "no clear difference";
    page += fmt::format("\nloss lower by {}: {}\n", with_interval(gain, 4), words);
  }
  if (result.truncated_rows > 0)
    page += fmt::format("{} rows were cut to --max-length\n", result.truncated_rows);
  if (result.left_out_rows > 0)
    page += fmt::format("{} rows were left out: no answer to judge by\n", result.left_out_rows);
  return page;
}

const TaskAnswers* answers_of(const std::optional<Judgement>& judgement, size_t task) {
  return judgement ? &judgement->tasks[task] : nullptr;
}

std::vector<TaskMetric> metrics(const Result& result, size_t task) {
  return metrics_of(result.tasks[task], answers_of(result.base_judgement, task),
                    answers_of(result.tuned_judgement, task));
}

std::string tasks_part(const Config& config, const Result& result) {
  const bool both = result.base_judgement && result.tuned_judgement;
  const char* first = config.adapter.empty() ? "model" : "base";
  report::Table table{.header = {"task", "questions", "metric"}};
  if (result.base_judgement) table.header.emplace_back(first);
  if (result.tuned_judgement) table.header.emplace_back("tuned");
  if (both) table.header.insert(table.header.end(), {"tuned - base", ""});
  for (size_t i = 0; i < result.tasks.size(); ++i) {
    for (const TaskMetric& metric : metrics(result, i)) {
      std::vector<std::string> row = {result.tasks[i].name,
                                      std::to_string(result.tasks[i].rows.size()), metric.name};
      if (metric.base) row.push_back(with_error(metric.base));
      if (metric.tuned) row.push_back(with_error(metric.tuned));
      if (metric.gain)
        row.insert(row.end(),
                   {with_error(metric.gain, "+"), verdict(engine::clear_sign(*metric.gain))});
      table.rows.push_back(std::move(row));
    }
  }
  return report::to_text(table);
}

std::string samples_part(const Config& config, const Result& result) {
  std::string page;
  for (const GenerationSample& sample : result.samples) {
    page += fmt::format("\nquestion  {}\nexpected  {}\n", sample.question, sample.expected);
    if (result.base_judgement)
      page += fmt::format("{:<10}{}\n", config.adapter.empty() ? "model" : "base", sample.base);
    if (result.tuned_judgement) page += fmt::format("tuned     {}\n", sample.tuned);
  }
  return page;
}

Json estimate_json(const engine::Estimate& estimate) {
  return {{"value", estimate.value}, {"low", estimate.low}, {"high", estimate.high}};
}

Json quality_json(const Quality& q) {
  return {{"loss", q.loss.value},
          {"loss_interval", {q.loss.low, q.loss.high}},
          {"perplexity", q.perplexity.value},
          {"perplexity_interval", {q.perplexity.low, q.perplexity.high}}};
}

void add_rows(const Result& result, Json& json) {
  json["split"] = result.split;
  json["rows"] = result.rows;
  json["truncated_rows"] = result.truncated_rows;
  json["left_out_rows"] = result.left_out_rows;
  json["tokens"] = result.tokens;
  json["supervised_tokens"] = result.supervised_tokens;
  json["tokens_per_second"] = result.tokens_per_second;
  if (result.base) json["base"] = quality_json(*result.base);
  if (result.tuned) json["tuned"] = quality_json(*result.tuned);
  const Quality& final = result.tuned ? *result.tuned : *result.base;
  json["loss"] = final.loss.value;
  json["perplexity"] = final.perplexity.value;
  if (result.reduction) json["loss_reduction"] = estimate_json(*result.reduction);
}

Json tasks_json(const Result& result) {
  Json tasks = Json::array();
  for (size_t i = 0; i < result.tasks.size(); ++i) {
    Json task = {{"task", result.tasks[i].name},
                 {"kind", result.tasks[i].multiple_choice ? "multiple_choice" : "exact_match"},
                 {"questions", result.tasks[i].rows.size()}};
    for (const TaskMetric& metric : metrics(result, i)) {
      const auto add = [&](const char* who, const std::optional<engine::Score>& score) {
        if (score) task[who][metric.name] = {{"value", score->value}, {"error", score->error}};
      };
      add("base", metric.base);
      add("tuned", metric.tuned);
      add("gain", metric.gain);
    }
    tasks.push_back(std::move(task));
  }
  return tasks;
}

}  // namespace

std::string to_page(const Config& config, const Result& result) {
  std::string page;
  if (!result.split.empty()) page = rows_part(config, result);
  if (!result.tasks.empty()) page += (page.empty() ? "" : "\n") + tasks_part(config, result);
  return page + samples_part(config, result);
}

Json to_json(const Config& config, const Result& result) {
  Json json = {{"model", config.model}, {"compute", config.compute}, {"seconds", result.seconds}};
  if (!config.adapter.empty()) json["adapter"] = config.adapter;
  if (!result.split.empty()) add_rows(result, json);
  if (!result.tasks.empty()) json["tasks"] = tasks_json(result);
  for (const GenerationSample& sample : result.samples) {
    Json one = {{"question", sample.question}, {"expected", sample.expected}};
    if (result.base_judgement) one["base"] = sample.base;
    if (result.tuned_judgement) one["tuned"] = sample.tuned;
    json["samples"].push_back(std::move(one));
  }
  return json;
}

}  // namespace toolkit::evaluate

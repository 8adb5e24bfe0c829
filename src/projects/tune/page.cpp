#include "projects/tune/page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/base/paths.h"
#include "core/report/table.h"
#include "projects/tune/plots.h"
#include "projects/tune/trial_space.h"

namespace toolkit::tune {

namespace {

constexpr size_t kShownTrials = 40;

/// The rounds that ended last of each trial, best first: longer rounds before shorter ones.
std::vector<size_t> ranking(const Search& search) {
  std::vector<size_t> order(search.trials.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto place = [&](size_t i) {
    const Result& last = search.trials[i].rounds.back();
    return std::make_tuple(last.failed(), -static_cast<long>(search.trials[i].rounds.size()),
                           last.failed() ? 0.0 : last.loss);
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return place(a) < place(b); });
  return order;
}

report::Table trial_table(const Search& search) {
  report::Table table{.header = {"trial"}, .rows = {}};
  for (const search::Dimension& one : search.space.dimensions()) table.header.push_back(one.name);
  for (const char* name : {"steps", "loss", "took", "memory", "run"})
    table.header.emplace_back(name);
  const std::vector<size_t> order = ranking(search);
  for (size_t place = 0; place < std::min(order.size(), kShownTrials); ++place) {
    const Trial& trial = search.trials[order[place]];
    const Result& last = trial.rounds.back();
    double seconds = 0;
    for (const Result& round : trial.rounds) seconds += round.seconds;
    std::vector<std::string> row = {std::to_string(order[place] + 1)};
    for (size_t i = 0; i < search.space.size(); ++i)
      row.push_back(search.space.text(i, trial.point[i]));
    row.push_back(shown_share(search.schedule, trial.rounds.size() - 1));
    row.push_back(last.failed() ? "failed" : fmt::format("{:.4f}", last.loss));
    row.push_back(fmt::format("{:.0f} s", seconds));
    row.push_back(last.peak_bytes > 0 ? fmt::format("{:.2f} GB", last.peak_bytes / 1e9) : "");
    row.push_back(last.run);
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string failures(const Search& search) {
  std::string text;
  for (size_t i = 0; i < search.trials.size(); ++i) {
    const Result& last = search.trials[i].rounds.back();
    if (last.failed()) text += fmt::format("  trial {} failed: {}\n", i + 1, last.error);
  }
  return text;
}

std::string best_lines(const Search& search, const Turn& best) {
  const Trial& trial = search.trials[best.trial];
  const Result& result = trial.rounds[best.round];
  std::string text = fmt::format("\nBest: trial {}, loss {:.4f} ({:.4f} before training)",
                                 best.trial + 1, result.loss, result.loss_before);
  if (best.round + 1 < static_cast<size_t>(search.schedule.rounds))
    text += fmt::format(", after {} of the steps only", shown_share(search.schedule, best.round));
  text += "\n";
  for (const auto& [name, value] : settings_of(search.space, trial.point))
    text += fmt::format("  {:<14} {}\n", name, value);
  return text;
}

std::string importance_line(const Search& search) {
  std::vector<std::string> parts;
  for (const auto& [name, share] : importances(search))
    parts.push_back(fmt::format("{} {:.0f} %", name, 100 * share));
  return parts.empty()
             ? ""
             : fmt::format("\nOf the differences in loss each setting alone explains: {}\n",
                           fmt::join(parts, ", "));
}

}  // namespace

std::string shown_share(const Schedule& schedule, size_t round) {
  const auto missing = schedule.rounds - 1 - static_cast<int>(round);
  return missing <= 0 ? "all" : fmt::format("1/{:.0f}", std::pow(schedule.keep_one_of, missing));
}

std::string to_page(const Search& search) {
  if (search.trials.empty()) return "No trial ended.\n";
  std::string page = report::to_text(trial_table(search));
  if (search.trials.size() > kShownTrials)
    page += fmt::format("  ... and {} more\n", search.trials.size() - kShownTrials);
  page += failures(search);
  const auto best = winner(search.trials, search.config.goal);
  if (!best) return page + "\nNo trial succeeded.\n";
  page += best_lines(search, *best) + importance_line(search);
  page += fmt::format("\nTrain with them: mlx-toolkit finetune --config {} --output my-adapter\n",
                      shown_path(search.file("best.yaml")));
  if (best->round + 1 == static_cast<size_t>(search.schedule.rounds))
    page += fmt::format("Adapter of the best trial: {}\n", shown_path(search.folder(*best)));
  page += fmt::format("Plots: {}", shown_path(search.file("trials.svg")));
  if (!importances(search).empty())
    page += fmt::format(", {}", shown_path(search.file("importance.svg")));
  page += "\n";
  if (search.status == "interrupted")
    page += "Interrupted; the same command with --resume goes on.\n";
  return page;
}

Json to_json(const Search& search) {
  Json trials = Json::array();
  for (size_t i = 0; i < search.trials.size(); ++i) {
    const Trial& trial = search.trials[i];
    Json rounds = Json::array();
    for (size_t round = 0; round < trial.rounds.size(); ++round) {
      const Result& result = trial.rounds[round];
      rounds.push_back({{"share", search.schedule.share(round)},
                        {"run", result.run},
                        {"loss", result.failed() ? Json() : Json(result.loss)},
                        {"seconds", result.seconds},
                        {"peak_rss_bytes", result.peak_bytes},
                        {"error", result.error.empty() ? Json() : Json(result.error)}});
    }
    trials.push_back({{"trial", i + 1},
                      {"settings", settings_of(search.space, trial.point)},
                      {"rounds", std::move(rounds)}});
  }
  Json json = {{"status", search.status},
               {"trials", std::move(trials)},
               {"best", nullptr},
               {"importance", Json::object()}};
  for (const auto& [name, share] : importances(search)) json["importance"][name] = share;
  if (const auto best = winner(search.trials, search.config.goal)) {
    const Trial& trial = search.trials[best->trial];
    const Result& result = trial.rounds[best->round];
    json["best"] = {{"trial", best->trial + 1},
                    {"settings", settings_of(search.space, trial.point)},
                    {"share", search.schedule.share(best->round)},
                    {"validation_loss", result.loss},
                    {"run", result.run},
                    {"config", search.file("best.yaml").string()}};
    json["validation_loss_after"] = result.loss;
    if (std::isfinite(result.loss_before)) json["validation_loss_before"] = result.loss_before;
  }
  return json;
}

}  // namespace toolkit::tune

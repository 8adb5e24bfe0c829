#include "projects/tune/plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/report/bar_plot.h"
#include "core/report/line_plot.h"
#include "projects/tune/page.h"

namespace toolkit::tune {

namespace {

constexpr long kFewest = 4;  // trials

}  // namespace

std::string trials_svg(const Search& search) {
  report::LinePlot plot{.title = fmt::format("Search for settings: {}", search.config.model),
                        .x_label = "trial",
                        .y_label = "validation loss (nats per token)"};
  const auto rounds = static_cast<size_t>(search.schedule.rounds);
  report::Series best{.name = "best so far"};
  double lowest = std::numeric_limits<double>::infinity();
  for (size_t round = 0; round < rounds; ++round) {
    const bool whole = round + 1 == rounds;
    report::Series series{
        .name = whole ? "whole trials" : shown_share(search.schedule, round) + " of the steps",
        .markers = true};
    for (size_t i = 0; i < search.trials.size(); ++i) {
      const Trial& trial = search.trials[i];
      if (trial.rounds.size() <= round || trial.rounds[round].failed()) continue;
      series.x.push_back(static_cast<double>(i + 1));
      series.y.push_back(trial.rounds[round].loss);
      if (!whole) continue;
      lowest = std::min(lowest, series.y.back());
      best.x.push_back(series.x.back());
      best.y.push_back(lowest);
    }
    if (!series.x.empty()) plot.series.push_back(std::move(series));
  }
  if (best.x.size() > 1) plot.series.push_back(std::move(best));
  return report::to_svg(plot);
}

std::vector<std::pair<std::string, double>> importances(const Search& search) {
  const auto seen = observations(search.trials, search.schedule);
  const auto good = std::count_if(search.trials.begin(), search.trials.end(), [](const Trial& one) {
    return !one.rounds.empty() && !one.rounds[0].failed();
  });
  if (good < kFewest) return {};
  const auto seed = static_cast<uint64_t>(search.config.seed);
  const std::vector<double> shares =
      search::importance(search.space, search::model_of(search.space, seen, seed));
  std::vector<std::pair<std::string, double>> named;
  for (size_t i = 0; i < shares.size(); ++i)
    named.emplace_back(search.space.dimensions()[i].name, shares[i]);
  std::stable_sort(named.begin(), named.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return named;
}

std::string importance_svg(const Search& search) {
  std::vector<report::Bar> bars;
  for (const auto& [name, share] : importances(search))
    bars.push_back({.name = name, .value = share, .text = fmt::format("{:.0f} %", 100 * share)});
  return bars.empty() ? "" : report::to_svg("How much each setting alone changes the loss", bars);
}

}  // namespace toolkit::tune

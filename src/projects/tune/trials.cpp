#include "projects/tune/trials.h"

#include <algorithm>
#include <cmath>

namespace toolkit::tune {

namespace {

double loss_in(const Trial& trial, size_t round) {
  const bool there = round < trial.rounds.size() && !trial.rounds[round].failed();
  return there ? trial.rounds[round].loss : std::numeric_limits<double>::infinity();
}

/// Trials that have run this round, best first.
std::vector<size_t> ranked(std::span<const Trial> trials, size_t round) {
  std::vector<size_t> order;
  for (size_t i = 0; i < trials.size(); ++i) {
    if (trials[i].rounds.size() > round) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return loss_in(trials[a], round) < loss_in(trials[b], round);
  });
  return order;
}

/// The first of the best `count` that may go on from this round.
std::optional<Turn> promoted(std::span<const Trial> trials, size_t round, size_t count) {
  const std::vector<size_t> order = ranked(trials, round);
  for (size_t place = 0; place < std::min(count, order.size()); ++place) {
    const Trial& trial = trials[order[place]];
    if (trial.rounds.size() == round + 1 && !trial.rounds[round].failed())
      return Turn{order[place], round + 1};
  }
  return {};
}

}  // namespace

bool Result::failed() const {
  return !error.empty() || !std::isfinite(loss);
}

double Schedule::share(size_t round) const {
  return std::pow(keep_one_of, static_cast<double>(round) - (rounds - 1));
}

std::optional<Turn> next_turn(std::span<const Trial> trials, const Schedule& schedule) {
  const auto last = static_cast<size_t>(schedule.rounds - 1);
  for (size_t round = last; round-- > 0;) {
    const size_t kept = ranked(trials, round).size() / static_cast<size_t>(schedule.keep_one_of);
    if (const auto turn = promoted(trials, round, kept)) return turn;
  }
  if (trials.size() < static_cast<size_t>(schedule.trials)) return Turn{trials.size(), 0};
  for (size_t round = last; round-- > 0;) {
    const bool longer = std::any_of(trials.begin(), trials.end(), [&](const Trial& trial) {
      return std::isfinite(loss_in(trial, round + 1));
    });
    if (longer) break;
    if (const auto turn = promoted(trials, round, trials.size())) return turn;
  }
  return {};
}

std::vector<search::Observation> observations(std::span<const Trial> trials,
                                              const Schedule& schedule) {
  std::vector<search::Observation> seen;
  for (const Trial& trial : trials) {
    for (size_t round = 0; round < trial.rounds.size(); ++round) {
      const Result& result = trial.rounds[round];
      seen.push_back({.point = trial.point,
                      .value = result.failed() ? std::nan("") : result.loss,
                      .share = schedule.share(round)});
    }
  }
  return seen;
}

std::optional<Turn> winner(std::span<const Trial> trials, const std::string& goal) {
  size_t rounds = 0;
  for (const Trial& trial : trials) rounds = std::max(rounds, trial.rounds.size());
  for (size_t round = rounds; round-- > 0;) {
    const std::vector<size_t> order = ranked(trials, round);
    if (order.empty() || !std::isfinite(loss_in(trials[order[0]], round))) continue;
    const double bound = loss_in(trials[order[0]], round) * 1.01;
    const auto cost = [&](size_t i) {
      const Result& result = trials[i].rounds[round];
      return goal == "time" ? result.seconds : goal == "memory" ? result.peak_bytes : result.loss;
    };
    size_t best = order[0];
    for (const size_t i : order) {
      if (loss_in(trials[i], round) <= bound && cost(i) < cost(best)) best = i;
    }
    return Turn{best, round};
  }
  return {};
}

}  // namespace toolkit::tune

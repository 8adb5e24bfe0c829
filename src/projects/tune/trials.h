#pragma once

#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/search/bayesian.h"

namespace toolkit::tune {

/// What one round of a trial gave.
struct Result {
  std::string run;                                         // its id in the list of runs
  double loss = std::numeric_limits<double>::quiet_NaN();  // of validation; not a number: failed
  double loss_before = std::numeric_limits<double>::quiet_NaN();  // of the model as it was
  double seconds = 0, peak_bytes = 0;
  std::string error;  // why it failed
  bool failed() const;
};

/// One set of settings, trained in rounds of growing length.
struct Trial {
  search::Point point;
  std::vector<Result> rounds;
};

struct Schedule {
  int trials = 20, rounds = 3, keep_one_of = 3;
  /// Of a whole trial's steps in this round: 1 in the last.
  double share(size_t round) const;
};

/// A round of a trial; trial == number of trials: a new one.
struct Turn {
  size_t trial = 0, round = 0;
};

/// What comes next; empty at the end. The best of every `keep_one_of` trials of a round goes on to
/// the next as soon as they are there (asynchronous successive halving, Li et al. 2020,
/// arXiv:1810.05934); at the end the best is brought to the last round in any case.
std::optional<Turn> next_turn(std::span<const Trial> trials, const Schedule& schedule);

std::vector<search::Observation> observations(std::span<const Trial> trials,
                                              const Schedule& schedule);

/// The winner of the longest round that has a result: the lowest loss, or for the goals "time" and
/// "memory" the least of that among those within 1 % of it. Empty if none succeeded.
std::optional<Turn> winner(std::span<const Trial> trials, const std::string& goal);

}  // namespace toolkit::tune

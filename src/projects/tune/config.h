#pragma once

#include <string>
#include <vector>

#include "core/base/fields.h"

namespace toolkit::tune {

/// Settings of `mlx-toolkit tune`.
struct Config {
  std::string model, data, output = "tune-output";
  std::string space, settings;
  std::vector<std::string> only, set;
  std::string goal = "loss", method = "bayes";
  int trials = 20;
  double minutes = 0;
  int rounds = 3;
  int keep_one_of = 3;
  double epochs = 1;
  int steps = 0;
  int seed = 0;
  bool resume = false;
};

Fields describe(Config& config);

/// What can be refused before anything starts. Throws Error(kUserInput).
void check(const Config& config);

}  // namespace toolkit::tune

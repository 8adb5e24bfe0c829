#pragma once

#include <string>
#include <vector>

#include "core/base/fields.h"

namespace toolkit::compare {

/// Settings of `mlx-toolkit compare`.
struct Config {
  std::string model, data, output = "compare-output";
  bool resume = false;
  std::vector<std::string> methods = {"lora", "qlora", "dora", "full"};
  std::vector<std::string> set;
  std::string settings;
  double epochs = 1;
  int steps = 0;
  int seed = 0;
  std::vector<std::string> constraint;
  std::string goal = "loss";
  std::vector<std::string> task, task_columns;
  std::string task_format = "chat", answer_pattern;
  int answer_tokens = 64;
};

Fields describe(Config& config);

/// What can be refused before anything starts. Throws Error(kUserInput).
void check(const Config& config);

}  // namespace toolkit::compare

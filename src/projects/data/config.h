#pragma once

#include <string>
#include <vector>

#include "core/base/fields.h"

namespace toolkit::data_check {

/// Settings of `mlx-toolkit data check` and `data stats`.
struct Config {
  std::string path;                  // folder or file
  std::vector<std::string> columns;  // "prompt=question": a file's own names
  std::string model;      // whose tokenizer and chat template count; empty: characters are counted
  int max_length = 1024;  // tokens of a row that training would keep
  int show = 20;          // how many lines of one kind the page names; the JSON has all
};

Fields describe(Config& config);

}  // namespace toolkit::data_check

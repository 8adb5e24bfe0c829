#pragma once

#include <string>
#include <vector>

#include "core/base/fields.h"

namespace toolkit::evaluate {

struct Config {
  std::string model;
  std::string data;
  std::vector<std::string> columns;
  std::string split = "auto";
  std::string adapter;
  bool without_base = false;
  int limit = 0;

  std::vector<std::string> task, task_columns;
  std::string task_format = "chat";
  int answer_tokens = 64;
  std::string answer_pattern;
  bool ignore_case = false, ignore_punctuation = false;

  int samples = 0;
  std::string details;

  std::string compute = "f32";
  int base_bits = 0, quantize_group = 64;
  int max_length = 2048;
  int batch_tokens = 1024;
};

Fields describe(Config& config);

/// What can be refused before anything is read. Throws Error(kUserInput).
void check(const Config& config);

}  // namespace toolkit::evaluate

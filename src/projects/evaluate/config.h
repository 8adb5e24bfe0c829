#pragma once

#include <string>

#include "core/base/fields.h"

namespace toolkit::evaluate {

struct Config {
  std::string model;
  std::string data;
  std::string split = "auto";
  std::string adapter;
  std::string compute = "f32";
  int max_length = 2048;
  int batch_tokens = 1024;
  int limit = 0;
};

Fields describe(Config& config);

}  // namespace toolkit::evaluate

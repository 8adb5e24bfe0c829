#pragma once

#include <string>
#include <vector>

#include "core/base/fields.h"

namespace toolkit::launch {

/// Settings of `mlx-toolkit launch`.
struct Config {
  int processes = 0;  // 0: one for each host
  std::vector<std::string> hosts;
  std::string ssh = "ssh", program;
  int port = 32323;
};

Fields describe(Config& config);

}  // namespace toolkit::launch

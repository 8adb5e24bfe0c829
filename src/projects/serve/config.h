#pragma once

#include <string>
#include <vector>

#include "core/base/fields.h"

namespace toolkit::serve {

/// Settings of `mlx-toolkit serve`.
struct Config {
  std::vector<std::string> models;    // loaded at the start and kept
  std::vector<std::string> adapters;  // "name=folder"
  std::string compute = "f32";

  std::string host = "127.0.0.1";
  int port = 8080;
  std::string token_file;
  std::vector<std::string> hosts, origins;

  int sequences = 16, queue = 128, context = 0;
  double cache_gb = 0;  // 0: from the memory there is
  bool cache_8bit = false;
  int speculate = 0;
  double memory_limit_gb = 0;  // 0: what the machine has

  std::string keep_alive = "5m";
  double timeout = 600;  // seconds of one answer
  double drain = 30;
  int body_mb = 16, file_mb = 512;
  int connections = 512;

  bool fine_tuning = true;
  std::vector<std::string> pull_hosts = {"registry.ollama.ai", "hf.co"};
};

Fields describe(Config& config);

/// "5m", "90s", "1h30m", "300" (seconds), "-1" (for ever: negative) -> seconds. Throws
/// Error(kUserInput).
double duration_seconds(const std::string& text, const std::string& where);

/// What stands in the token file, without white space around. Throws Error(kUserInput) for one that
/// others may read, that is empty or holds several words.
std::string read_token(const std::string& file);

}  // namespace toolkit::serve

#pragma once

#include <string>
#include <vector>

#include "core/base/fields.h"

namespace toolkit::monitor {

/// Section mlxdash of `~/.mlx-infrastructure/config.yaml`, over these.
struct Preferences {
  int polling_interval = 1000;  // ms: models
  int speed_interval = 500;     // ms: tokens per second while something is generated
  int memory_interval = 2000;   // ms: memory and GPU
  int temperature_interval = 5000;
  int benchmark_prompts = 10;
  bool launch_at_login = false;
  std::string ollama_host;  // ""; OLLAMA_HOST, else http://127.0.0.1:11434
  std::vector<std::string> servers = {"http://127.0.0.1:8080"};  // llama-server, mlx-toolkit serve
  int proxy_port = 11435;
  int history_days = 30;
  std::string temperature_unit = "celsius";  // celsius | fahrenheit
  std::string appearance = "auto";           // auto | light | dark
  bool notifications = true;
  double low_memory_percent = 8;  // of all memory; below it a message warns
  double savings_alert_gb = 10;   // mlx-cache's savings that are worth a message; 0: none

  /// Addresses of all servers that are looked at: Ollama, the proxy, the others; none twice.
  std::vector<std::string> urls() const;
  /// Where Ollama is; where OLLAMA_HOST names the proxy, at its usual place behind that.
  std::string ollama_url() const;
  std::string proxy_url() const;
};

Fields describe(Preferences& preferences);

/// Throws Error(kUserInput) with file and line for an unknown key or a wrong value.
Preferences load_preferences();
/// Writes one key, keeping what else stands in the file, comments included; `key` with '_' or '-'.
/// Throws Error(kUserInput) for a value it may not have or a file that cannot be changed in place;
/// nothing is written then.
void save_preference(const std::string& key, const std::vector<std::string>& values);

/// "41 °C", "106 °F".
std::string shown_temperature(double celsius, const std::string& unit);

}  // namespace toolkit::monitor

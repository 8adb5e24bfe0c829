#include "core/monitor/preferences.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/paths.h"
#include "core/base/settings_file.h"
#include "core/model_store/settings.h"

namespace toolkit::monitor {

namespace {

constexpr const char* kSection = "mlxdash";

/// "127.0.0.1:8080/" as "http://127.0.0.1:8080".
std::string url_of(std::string text) {
  if (text.find("://") == text.npos) text = "http://" + text;
  while (text.ends_with('/')) text.pop_back();
  return text;
}

Field interval(const char* name, int* target, const char* help, double minimum) {
  return {.name = name, .target = target, .help = help, .minimum = minimum, .maximum = 60'000};
}

}  // namespace

std::string Preferences::ollama_url() const {
  if (!ollama_host.empty()) return url_of(ollama_host);
  const std::string url = url_of(model_store::read_environment().ollama_host);
  // Programs are sent to the proxy by that variable: Ollama is behind it.
  return url == proxy_url() ? "http://127.0.0.1:11434" : url;
}

std::string Preferences::proxy_url() const {
  return "http://127.0.0.1:" + std::to_string(proxy_port);
}

std::vector<std::string> Preferences::urls() const {
  std::vector<std::string> all = {ollama_url(), proxy_url()};
  for (const std::string& server : servers)
    if (std::find(all.begin(), all.end(), url_of(server)) == all.end())
      all.push_back(url_of(server));
  return all;
}

Fields describe(Preferences& preferences) {
  return {
      interval("polling-interval", &preferences.polling_interval,
               "milliseconds between looks at the loaded models", 200),
      interval("speed-interval", &preferences.speed_interval,
               "milliseconds between looks at tokens per second while something is generated", 100),
      interval("memory-interval", &preferences.memory_interval,
               "milliseconds between looks at memory and GPU", 500),
      interval("temperature-interval", &preferences.temperature_interval,
               "milliseconds between looks at temperatures", 1000),
      {.name = "benchmark-prompts",
       .target = &preferences.benchmark_prompts,
       .help = "how many of the standard prompts a benchmark runs",
       .minimum = 1,
       .maximum = 10},
      {.name = "launch-at-login",
       .target = &preferences.launch_at_login,
       .help = "start with the desktop session"},
      {.name = "ollama-host",
       .target = &preferences.ollama_host,
       .help = "Ollama's address (empty: OLLAMA_HOST, else 127.0.0.1:11434)"},
      {.name = "servers",
       .target = &preferences.servers,
       .help = "addresses of llama-server and mlx-toolkit serve"},
      {.name = "proxy-port",
       .target = &preferences.proxy_port,
       .help = "port of `mlx-dash proxy`",
       .minimum = 1,
       .maximum = 65'535},
      {.name = "history-days",
       .target = &preferences.history_days,
       .help = "days of history that are kept",
       .minimum = 1,
       .maximum = 3650},
      {.name = "temperature-unit",
       .target = &preferences.temperature_unit,
       .help = "how temperatures are shown",
       .choices = {"celsius", "fahrenheit"}},
      {.name = "appearance",
       .target = &preferences.appearance,
       .help = "colours of the windows (auto: as the desktop)",
       .choices = {"auto", "light", "dark"}},
      {.name = "notifications",
       .target = &preferences.notifications,
       .help = "show warnings as notifications of the desktop"},
      {.name = "low-memory-percent",
       .target = &preferences.low_memory_percent,
       .help = "free share of memory below which a message warns",
       .minimum = 0,
       .maximum = 90},
      {.name = "savings-alert-gb",
       .target = &preferences.savings_alert_gb,
       .help = "savings of mlx-cache in GB that are worth a message (0: none)",
       .minimum = 0}};
}

Preferences load_preferences() {
  Preferences preferences;
  const Fields fields = describe(preferences);
  const std::filesystem::path file = suite_settings_file();
  read_yaml_text(settings_text(file), shown_path(file), kSection, fields);
  check_fields(fields);
  return preferences;
}

void save_preference(const std::string& key, const std::vector<std::string>& values) {
  Preferences wanted;
  const Fields fields = describe(wanted);
  const Field& field = find_setting(fields, key, "mlx-dash config");
  set_field(field, values, setting_key(field.name));
  check_fields({field});
  Preferences read;
  write_setting(suite_settings_file(), kSection, field, describe(read));
}

std::string shown_temperature(double celsius, const std::string& unit) {
  if (unit == "fahrenheit") return fmt::format("{:.0f} °F", celsius * 9 / 5 + 32);
  return fmt::format("{:.0f} °C", celsius);
}

}  // namespace toolkit::monitor

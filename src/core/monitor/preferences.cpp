#include "core/monitor/preferences.h"

#include <algorithm>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/nearest.h"
#include "core/base/paths.h"
#include "core/base/settings_file.h"
#include "core/model_store/settings.h"

namespace toolkit::monitor {

namespace fs = std::filesystem;

namespace {

constexpr const char* kSection = "mlxdash";
constexpr size_t kFileBytes = 1 << 20;

fs::path settings_file() {
  return home_folder() / "config.yaml";
}

std::string text_of_file() {
  std::error_code error;
  return fs::exists(settings_file(), error) ? read_file(settings_file(), kFileBytes) : "";
}

std::string key_of(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

const Field& find_field(const Fields& fields, const std::string& key) {
  std::vector<std::string> known;
  for (const Field& field : fields) {
    if (key_of(field.name) == key_of(key)) return field;
    known.push_back(key_of(field.name));
  }
  fail(ErrorKind::kUserInput, "unknown setting '{}'.{} `mlx-dash config` lists them", key,
       did_you_mean(key, known));
}

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
  return url_of(ollama_host.empty() ? model_store::read_environment().ollama_host : ollama_host);
}

std::vector<std::string> Preferences::urls() const {
  std::vector<std::string> all = {ollama_url(), "http://127.0.0.1:" + std::to_string(proxy_port)};
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
  read_yaml_text(text_of_file(), shown_path(settings_file()), kSection, fields);
  check_fields(fields);
  return preferences;
}

void save_preference(const std::string& key, const std::vector<std::string>& values) {
  Preferences wanted;
  const Fields fields = describe(wanted);
  const Field& field = find_field(fields, key);
  set_field(field, values, key_of(field.name));
  check_fields({field});
  const std::string after = edited_yaml(text_of_file(), kSection, field);
  // Read back: a file that was written in some unusual way is better left alone.
  Preferences read;
  const Fields read_fields = describe(read);
  std::string complaint;
  try {
    read_yaml_text(after, shown_path(settings_file()), kSection, read_fields);
  } catch (const Error& error) {
    complaint = error.what();
  }
  if (!complaint.empty() ||
      fields_to_json({find_field(read_fields, key)}) != fields_to_json({field}))
    fail(ErrorKind::kUserInput, "{}: cannot be changed in place; write `{}` there yourself{}",
         shown_path(settings_file()), key_of(field.name),
         complaint.empty() ? "" : " (" + complaint + ")");
  fs::create_directories(settings_file().parent_path());
  write_file_atomically(settings_file(), after);
}

std::string shown_temperature(double celsius, const std::string& unit) {
  if (unit == "fahrenheit") return fmt::format("{:.0f} °F", celsius * 9 / 5 + 32);
  return fmt::format("{:.0f} °C", celsius);
}

}  // namespace toolkit::monitor

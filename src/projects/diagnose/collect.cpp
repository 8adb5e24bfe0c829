#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/paths.h"
#include "core/base/subprocess.h"
#include "core/model_store/layout.h"
#include "core/monitor/history/history.h"
#include "core/platform/hardware.h"
#include "core/platform/sensors/sensors.h"
#include "core/store/database.h"
#include "projects/diagnose/bundle.h"
#include "projects/diagnose/check.h"

namespace toolkit::diagnose {

namespace fs = std::filesystem;

namespace {

constexpr size_t kLogBytes = 200'000;
constexpr size_t kMostErrors = 200;
constexpr uintmax_t kSettingsBytes = 1 << 20;

Json hardware_json() {
  const platform::Hardware hardware = platform::detect_hardware();
  Json gpus = Json::array();
  for (const platform::GpuReading& gpu : platform::open_sensors()->gpus()) gpus.push_back(gpu.name);
  return {{"os", hardware.os},
          {"cpu", hardware.cpu},
          {"cores", hardware.cores},
          {"instruction_sets", hardware.instruction_sets},
          {"memory_bytes", hardware.memory_bytes},
          {"available_memory_bytes", platform::available_memory_bytes()},
          {"gpu", hardware.gpu},
          {"gpus", gpus}};
}

/// Tables with their numbers of rows.
Json database_json(const fs::path& file) {
  std::error_code error;
  if (!fs::exists(file, error)) return "not there";
  try {
    auto database = store::Database::open(file, store::OpenMode::kReadOnly);
    Json tables = Json::object();
    auto names = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'");
    while (names.step()) {
      const std::string name = names.text(0);
      std::string quoted = name;
      for (size_t at = 0; (at = quoted.find('"', at)) != quoted.npos; at += 2)
        quoted.insert(at, "\"");
      auto count = database.prepare("SELECT count(*) FROM \"" + quoted + "\"");
      if (count.step()) tables[name] = count.integer(0);
    }
    return {{"bytes", fs::file_size(file, error)}, {"damage", database.damage()}, {"rows", tables}};
  } catch (const Error& trouble) {
    return {{"trouble", trouble.what()}};
  }
}

std::vector<fs::path> log_files() {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator at(home_folder() / "logs", error), end; !error && at != end;
       at.increment(error))
    if (at->is_regular_file(error) && at->path().extension() == ".log") files.push_back(at->path());
  std::sort(files.begin(), files.end());
  return files;
}

std::string end_of_file(const fs::path& file) {
  try {
    std::string text = end_of_log(file, kLogBytes);
    // The first line may have lost the part by which it would be redacted.
    if (text.size() == kLogBytes) text.erase(0, text.find('\n') + 1);
    return text;
  } catch (const Error&) {
    return "";
  }
}

/// Lines of level error and warning, the newest last.
std::string recent_errors(const std::vector<Entry>& logs) {
  std::vector<std::string> lines;
  for (const Entry& log : logs) {
    size_t begin = 0;
    for (size_t end; (end = log.text.find('\n', begin)) != log.text.npos; begin = end + 1) {
      const std::string line = log.text.substr(begin, end - begin);
      if (line.find(" E [") != line.npos || line.find(" W [") != line.npos) lines.push_back(line);
    }
  }
  std::sort(lines.begin(), lines.end());  // they begin with the time
  if (lines.size() > kMostErrors) lines.erase(lines.begin(), lines.end() - kMostErrors);
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

void add_settings(std::vector<Entry>& entries, const Redactor& redactor, const std::string& name,
                  const fs::path& file) {
  std::error_code error;
  if (!fs::is_regular_file(file, error) || fs::file_size(file, error) > kSettingsBytes) return;
  std::ifstream stream(file);
  entries.push_back(
      {name, redactor.redacted(std::string(std::istreambuf_iterator<char>(stream), {}))});
}

}  // namespace

std::vector<Entry> collect(const Redactor& redactor, const std::string& version) {
  const auto made = [&](const std::string& name, const Json& value) {
    return Entry{
        name, redactor.redacted(value.dump(1, ' ', false, Json::error_handler_t::replace) + "\n")};
  };
  std::vector<Entry> entries = {
      made("versions.json", {{"mlx-diag", version}, {"compiler", __VERSION__}}),
      made("hardware.json", hardware_json()), made("check.json", to_json(check_all()))};
  Json databases = {{"mlxdash.db", database_json(monitor::History::default_file())},
                    {"toolkit.db", database_json(home_folder() / "toolkit.db")}};
  add_settings(entries, redactor, "config/mlx-infrastructure.yaml", home_folder() / "config.yaml");
  try {
    const model_store::Layout layout = model_store::default_layout();
    databases["registry.db"] = database_json(layout.registry());
    add_settings(entries, redactor, "config/mlx-cache.yaml", layout.settings());
  } catch (const Error& trouble) {
    databases["registry.db"] = trouble.what();
  }
  entries.push_back(made("databases.json", databases));
  std::vector<Entry> logs;
  for (const fs::path& file : log_files())
    logs.push_back({"logs/" + file.filename().string(), redactor.redacted(end_of_file(file))});
  entries.push_back({"errors.txt", recent_errors(logs)});
  entries.insert(entries.end(), logs.begin(), logs.end());
  return entries;
}

}  // namespace toolkit::diagnose

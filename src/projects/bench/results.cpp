#include "projects/bench/results.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <optional>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/base/json.h"
#include "core/platform/hardware.h"
#include "core/report/table.h"
#include "core/tensor/backend.h"

namespace toolkit::bench {

namespace {

Json machine() {
  const platform::Hardware hardware = platform::detect_hardware();
  return {{"os", hardware.os},
          {"cpu", hardware.cpu},
          {"cores", hardware.cores},
          {"instruction_sets", hardware.instruction_sets},
          {"memory_bytes", hardware.memory_bytes},
          {"kernels", tensor::cpu_kernel_target()}};
}

// Results measured earlier count only for the same settings on the same machine.
Json earlier_runs(const std::filesystem::path& file, const Json& machine_now,
                  const Json& settings) {
  if (!std::filesystem::exists(file)) return Json::object();
  const Json before = parse_json(read_file(file), file.string());
  const bool same = before.value("machine", Json()) == machine_now &&
                    before.value("settings", Json()) == settings;
  return same ? before.value("runs", Json::object()) : Json::object();
}

void check_names(const Config& config, const std::vector<Run>& runs) {
  for (const std::string& wanted : config.only) {
    if (std::any_of(runs.begin(), runs.end(), [&](const Run& run) { return run.name == wanted; })) {
      continue;
    }
    std::string known;
    for (const Run& run : runs) known += (known.empty() ? "" : ", ") + run.name;
    fail(ErrorKind::kUserInput, "--only: no run is called '{}'; there are: {}", wanted, known);
  }
}

void check_peers(const Config& config) {
  if (!config.peers || std::filesystem::exists(config.peers_python)) return;
  fail(ErrorKind::kNotFound,
       "--peers-python: {}: not there. Install the other programs with `scripts/setup --peers`, or "
       "name a Python that has them",
       config.peers_python);
}

std::optional<double> measured(const Json& run, const std::string& key) {
  const auto found = run.find(key);
  if (found == run.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

std::string number(const Json& runs, const Json& run, const Column& column) {
  std::optional<double> value = measured(run, column.key);
  if (value && column.baseline) {
    const auto base = measured(runs.value(column.baseline(run), Json::object()), column.key);
    value = base && *base > 0 ? std::optional(*value / *base) : std::nullopt;
  }
  return value ? fmt::format("{:.{}f}", *value * column.factor, column.digits) : "";
}

}  // namespace

Json measure_runs(const Config& config, const std::string& name, const Json& settings,
                  const std::vector<Run>& runs,
                  const std::function<void(const std::string&)>& started) {
  check_names(config, runs);
  check_peers(config);
  std::filesystem::create_directories(config.output);
  const std::filesystem::path file = std::filesystem::path(config.output) / (name + ".json");
  Json results = {{"machine", machine()}, {"settings", settings}};
  results["runs"] = earlier_runs(file, results["machine"], settings);
  results["ok"] = true;
  for (const Run& run : runs) {
    const bool wanted = config.only.empty() || std::find(config.only.begin(), config.only.end(),
                                                         run.name) != config.only.end();
    if (!wanted) continue;
    started(run.name);
    Json result;
    try {
      result = run.measure();
    } catch (const Error& error) {
      if (InterruptGuard::requested()) throw;
      result = {{"error", error.what()}};
      results["ok"] = false;
    }
    result["when"] = fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(std::time(nullptr)));
    results["runs"][run.name] = result;
    write_file_atomically(file, results.dump(2) + "\n");
  }
  return results;
}

Column times(const std::string& baseline, const std::string& key) {
  return {"times " + baseline, key, 2, 1, [baseline](const Json&) { return baseline; }};
}

std::string table_of(const Json& results, const std::vector<Column>& columns) {
  report::Table table;
  table.header.push_back("program");
  for (const Column& column : columns) table.header.push_back(column.heading);
  const Json& runs = results["runs"];
  for (const auto& [name, run] : runs.items()) {
    std::vector<std::string> row = {name};
    if (run.contains("error")) row[0] += " (failed)";
    for (const Column& column : columns) row.push_back(number(runs, run, column));
    table.rows.push_back(std::move(row));
  }
  return to_markdown(table);
}

}  // namespace toolkit::bench

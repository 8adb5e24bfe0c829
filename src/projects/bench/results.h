#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "projects/bench/config.h"

namespace toolkit::bench {

/// One thing to measure.
struct Run {
  std::string name;  // "toolkit f32", "PEFT f32 padded"; what --only names
  std::function<nlohmann::json()> measure;
};

/// Measures what `config.only` names (or all) in turn and keeps the results of all runs in
/// `<output>/<name>.json`, with the machine and the date. A run that fails is recorded as
/// {"error": ...} and the others go on. Returns the whole object:
/// {"machine": {...}, "settings": {...}, "runs": {name: result}, "ok": false if one failed now}.
/// Throws Error(kNotFound) if peers are wanted and their Python is not there.
nlohmann::json measure_runs(const Config& config, const std::string& name,
                            const nlohmann::json& settings, const std::vector<Run>& runs,
                            const std::function<void(const std::string&)>& started);

/// One column of a table: heading, key of a run's result, digits, factor ("1e-9" for GB).
struct Column {
  std::string heading, key;
  int digits = 0;
  double factor = 1;
  /// Of a ratio: the name of the run whose value the given run's is divided by.
  std::function<std::string(const nlohmann::json& run)> baseline = nullptr;
};

/// A column of ratios to one run: "times llama.cpp".
Column times(const std::string& baseline, const std::string& key);

/// A Markdown table, one line per run. What a run did not measure stays empty.
std::string table_of(const nlohmann::json& results, const std::vector<Column>& columns);

}  // namespace toolkit::bench

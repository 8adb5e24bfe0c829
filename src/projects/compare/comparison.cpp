#include "projects/compare/comparison.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/interrupt.h"
#include "core/base/paths.h"
#include "core/base/progress.h"
#include "core/data/row_source.h"
#include "projects/compare/html_report.h"
#include "projects/compare/page.h"

namespace toolkit::compare {

namespace {

namespace fs = std::filesystem;

constexpr const char* kSetHere[] = {"model", "data",   "output", "method",      "seed",
                                    "steps", "epochs", "resume", "resume-from", "dry-run"};

void check_methods(const Config& config, const Json& fields) {
  const Json* field = trials::find_field(fields, "method");
  const std::vector<std::string> known =
      field ? field->at("choices").get<std::vector<std::string>>() : std::vector<std::string>{};
  for (const std::string& method : config.methods)
    if (std::find(known.begin(), known.end(), method) == known.end())
      fail(ErrorKind::kUserInput, "--methods: finetune has no method '{}', only {}", method,
           fmt::join(known, ", "));
}

/// `--set` texts of one method: those without a method's name before a dot, then its own.
std::vector<std::string> assignments_for(const Config& config, const std::string& method) {
  std::vector<std::string> shared, own;
  std::vector<std::string>* last = &shared;
  for (const std::string& text : config.set) {
    const size_t equals = text.find('='), dot = text.find('.');
    if (equals == std::string::npos) {  // a list that was split at its comma goes on
      if (last) last->push_back(text);
      continue;
    }
    const std::string before = dot < equals ? text.substr(0, dot) : "";
    const bool names_method =
        std::find(config.methods.begin(), config.methods.end(), before) != config.methods.end();
    last = !names_method ? &shared : before == method ? &own : nullptr;
    if (last) last->push_back(names_method ? text.substr(dot + 1) : text);
  }
  shared.insert(shared.end(), own.begin(), own.end());
  return shared;
}

Settings settings_for(const Config& config, const std::string& method, const Json& fields) {
  Settings settings = trials::fixed_settings(config.settings, assignments_for(config, method),
                                             fields, kSetHere, "compare");
  for (const char* name : {"save-every", "sample"})
    if (trials::find_field(fields, name)) settings.try_emplace(name, "0");
  settings["model"] = config.model;
  settings["data"] = config.data;
  settings["seed"] = std::to_string(config.seed);
  if (config.steps > 0)
    settings["steps"] = std::to_string(config.steps);
  else
    settings["epochs"] = fmt::format("{:g}", config.epochs);
  return settings;
}

void check_data(const Config& config) {
  const fs::path data = expanded_path(config.data);
  if (!fs::is_directory(data) || data::find_data_file(data, "valid").empty())
    fail(ErrorKind::kUserInput,
         "--data {}: expected a folder with train.jsonl and valid.jsonl: methods are judged on "
         "rows that none of them has seen",
         config.data);
}

std::vector<std::string> evaluate_arguments(const Config& config, const Settings& settings,
                                            const Json& fields) {
  std::vector<std::string> arguments = {"--model",   config.model, "--data",
                                        config.data, "--split",    "valid"};
  const auto pass_on = [&](const char* name) {
    const auto found = settings.find(name);
    const Json* field = trials::find_field(fields, name);
    std::string value;
    if (found != settings.end())
      value = found->second;
    else if (field && field->at("default").is_number())
      value = field->at("default").dump();
    if (!value.empty()) arguments.insert(arguments.end(), {std::string("--") + name, value});
  };
  pass_on("max-length");
  pass_on("columns");
  if (config.task.empty()) return arguments;
  arguments.insert(arguments.end(),
                   {"--task", fmt::format("{}", fmt::join(config.task, ",")), "--task-format",
                    config.task_format, "--answer-tokens", std::to_string(config.answer_tokens)});
  if (!config.task_columns.empty())
    arguments.insert(arguments.end(),
                     {"--task-columns", fmt::format("{}", fmt::join(config.task_columns, ","))});
  if (!config.answer_pattern.empty())
    arguments.insert(arguments.end(), {"--answer-pattern", config.answer_pattern});
  return arguments;
}

/// What must not change over --resume. Methods and constraints may: but what was skipped or stopped
/// for a constraint is measured again under another one.
Json identity(const Comparison& comparison) {
  Json settings = Json::object();
  for (const auto& [method, one] : comparison.settings) settings[method] = one;
  return {{"settings", settings}, {"evaluate", comparison.bench.evaluate_arguments}};
}

void check_same(const fs::path& file, const Json& now, bool resume) {
  if (!fs::exists(file)) {
    if (resume)
      fail(ErrorKind::kNotFound,
           "--resume: there is no {}; leave --resume out to start a comparison", file.string());
    return;
  }
  if (!resume)
    fail(ErrorKind::kUserInput,
         "{} holds a comparison already; --resume goes on with it, or name another --output",
         file.parent_path().string());
  const Json old = parse_json(read_file(file), file.string());
  const Json before = old.value("settings", Json::object());
  for (const auto& [method, settings] : now.at("settings").items()) {
    if (before.contains(method) && before[method] != settings)
      fail(ErrorKind::kUserInput,
           "--resume: {} trained {} with other settings; give the same, or another --output",
           file.string(), method);
  }
  if (old.value("evaluate", Json()) != now.at("evaluate"))
    fail(ErrorKind::kUserInput,
         "--resume: {} was judged with other settings; give the same, or another --output",
         file.string());
}

bool is_measured(const fs::path& folder) {
  if (!fs::exists(folder / "measured.json")) return false;
  const Entry entry = read_entry(folder);
  return entry.measured() || entry.state == Entry::State::kFailed;
}

std::string note(const Entry& entry) {
  if (!entry.measured()) return fmt::format("{}: {}", entry.method, entry.reason);
  return fmt::format("{}: loss {:.4f}", entry.method, entry.loss.value);
}

void write_results(const Comparison& comparison, report::RunLog& log) {
  write_file_atomically(comparison.file("results.json"), to_json(comparison).dump(2) + "\n");
  write_file_atomically(comparison.file("results.csv"), to_csv(comparison));
  write_file_atomically(comparison.file("report.html"), html_report(comparison));
  log.artifact(comparison.file("report.html"), "the report");
  log.artifact(comparison.file("results.json"), "all figures");
}

}  // namespace

fs::path Comparison::file(const std::string& name) const {
  return fs::path(config.output) / name;
}

fs::path Comparison::folder(const std::string& method) const {
  return fs::path(config.output) / "methods" / method;
}

Comparison prepare(const Config& config, const std::string& program) {
  check(config);
  check_data(config);
  const fs::path output = config.output;
  std::error_code error;
  fs::create_directories(output, error);
  if (error)
    fail(ErrorKind::kIo, "the output folder {} cannot be made: {}", config.output, error.message());
  Comparison comparison{.config = config};
  comparison.lock = files::FileLock::take(output / "compare.lock", files::LockMode::kExclusive,
                                          "compare", std::chrono::milliseconds(0));
  Bench& bench = comparison.bench;
  bench.program = program;
  bench.constraints = read_constraints(config.constraint);
  bench.fields = trials::finetune_fields(program, output / "finetune-help.log");
  fs::remove(output / "finetune-help.log", error);
  check_methods(config, bench.fields);
  for (const std::string& method : config.methods)
    comparison.settings[method] = settings_for(config, method, bench.fields);
  bench.evaluate_arguments =
      evaluate_arguments(config, comparison.settings.at(config.methods.front()), bench.fields);
  const Json now = identity(comparison);
  check_same(output / "comparison.json", now, config.resume);
  Json written = now;
  if (config.resume) {
    written["settings"] = parse_json(read_file(output / "comparison.json"), "comparison.json")
                              .value("settings", Json::object());
    written["settings"].update(now.at("settings"));
  }
  write_file_atomically(output / "comparison.json", written.dump(2) + "\n");
  return comparison;
}

void run(Comparison& comparison, const report::OpenRun& open, bool quiet) {
  const Config& config = comparison.config;
  comparison.bench.parent = open.start.id;
  InterruptGuard guard;
  Progress bar("comparing", static_cast<int64_t>(config.methods.size()) + 1, quiet);
  const fs::path base = comparison.folder("base");
  bool going = is_measured(base) || measure_base(comparison.bench, base);
  if (going) {
    comparison.base = read_entry(base);
    bar.update(1, note(*comparison.base));
  }
  for (const std::string& method : config.methods) {
    const fs::path folder = comparison.folder(method);
    going =
        going && (is_measured(folder) ||
                  measure_method(comparison.bench, method, comparison.settings.at(method), folder));
    if (!going) break;
    comparison.entries.push_back(read_entry(folder));
    const Entry& entry = comparison.entries.back();
    if (std::isfinite(entry.loss.value))
      open.log->metric("validation_loss", static_cast<int64_t>(comparison.entries.size()),
                       entry.loss.value);
    bar.update(static_cast<int64_t>(comparison.entries.size()) + 1, note(entry));
  }
  bar.finish();
  if (!going) comparison.status = "interrupted";
  if (comparison.base) {
    comparison.recommendation =
        recommend(*comparison.base, comparison.entries, comparison.bench.constraints, config.goal);
    write_results(comparison, *open.log);
  }
  comparison.lock.reset();
}

}  // namespace toolkit::compare

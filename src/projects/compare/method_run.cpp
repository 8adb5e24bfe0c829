#include "projects/compare/method_run.h"

#include <fmt/format.h>

#include <cmath>
#include <system_error>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "engine/trials/child_run.h"
#include "projects/compare/entry.h"

namespace toolkit::compare {

namespace {

namespace fs = std::filesystem;
using trials::ChildResult;
using trials::number_in;

/// measured.json in the making.
struct Measurement {
  fs::path folder;
  Json json;

  Measurement(const std::string& method, const fs::path& where)
      : folder(where),
        json({{"method", method},
              {"run", ""},
              {"state", state_name(Entry::State::kMeasured)},
              {"reason", ""},
              {"seconds", nullptr},
              {"adapter_bytes", nullptr},
              {"planned_bytes", nullptr},
              {"finetune", Json::object()},
              {"evaluate", Json::object()}}) {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    fs::create_directories(folder, ignored);
  }
  bool end(Entry::State state, const std::string& reason) {
    json["state"] = state_name(state);
    json["reason"] = reason;
    write_file_atomically(folder / "measured.json", json.dump(2) + "\n");
    return true;
  }
};

double weight_bytes(const fs::path& folder) {
  double bytes = 0;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored))
    if (entry.path().extension() == ".safetensors")
      bytes += static_cast<double>(entry.file_size(ignored));
  return bytes;
}

ChildResult run(const Bench& bench, const fs::path& folder, std::vector<std::string> arguments,
                double limit_seconds = 0) {
  return trials::run_child({.program = bench.program,
                            .arguments = std::move(arguments),
                            .folder = folder,
                            .parent = bench.parent,
                            .limit_seconds = limit_seconds});
}

ChildResult evaluate(const Bench& bench, const fs::path& folder,
                     const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"evaluate"};
  arguments.insert(arguments.end(), bench.evaluate_arguments.begin(),
                   bench.evaluate_arguments.end());
  arguments.insert(arguments.end(), more.begin(), more.end());
  arguments.insert(arguments.end(), {"--details", (folder / "rows.jsonl").string()});
  return run(bench, folder, std::move(arguments));
}

std::string too_slow(const ChildResult& trained, double limit) {
  const double steps = number_in(trained.output, "steps"),
               all = number_in(trained.output, "total_steps");
  std::string text = fmt::format("stopped at the limit of {}", shown_seconds(limit));
  if (std::isfinite(steps) && std::isfinite(all) && steps > 0)
    text += fmt::format(", at step {:.0f} of {:.0f}: the whole run would take about {}", steps, all,
                        shown_seconds(trained.seconds * all / steps));
  return text;
}

/// finetune's own plan for these settings, NaN if this finetune makes none.
double planned_bytes(const Bench& bench, const fs::path& folder, const std::string& settings,
                     ChildResult& plan) {
  if (!trials::find_field(bench.fields, "dry-run")) return std::nan("");
  plan = run(bench, folder, {"finetune", "--config", settings, "--dry-run"});
  return number_in(plan.output, "planned_bytes");
}

/// The packed base that qlora learned on is what it must be judged on.
std::vector<std::string> base_arguments(const Bench& bench, const Settings& settings,
                                        const std::string& method) {
  if (method != "qlora") return {};
  const auto group = settings.find("quantize-group");
  const Json* field = trials::find_field(bench.fields, "quantize-group");
  return {"--base-bits", "4", "--quantize-group",
          group != settings.end() ? group->second
          : field                 ? field->at("default").dump()
                                  : "64"};
}

}  // namespace

bool measure_method(const Bench& bench, const std::string& method, const Settings& given,
                    const fs::path& folder) {
  Measurement measurement(method, folder);
  const fs::path adapter = folder / "adapter";
  Settings settings = given;
  settings["method"] = method;
  settings["output"] = adapter.string();
  const std::string file = (folder / "settings.yaml").string();
  write_file_atomically(file, trials::to_yaml(settings, bench.fields));

  ChildResult plan;
  const double planned = planned_bytes(bench, folder, file, plan);
  if (plan.interrupted) return false;
  if (!plan.error.empty()) return measurement.end(Entry::State::kFailed, plan.error);
  if (std::isfinite(planned)) measurement.json["planned_bytes"] = planned;
  if (bench.constraints.memory_bytes > 0 && planned > bench.constraints.memory_bytes)
    return measurement.end(
        Entry::State::kSkipped,
        fmt::format("not run: it is planned to need {}, more than the {} allowed",
                    shown_size(planned), shown_size(bench.constraints.memory_bytes)));

  const ChildResult trained =
      run(bench, folder, {"finetune", "--config", file}, bench.constraints.seconds);
  if (trained.interrupted) return false;
  measurement.json["run"] = trials::run_id(adapter);
  measurement.json["seconds"] = trained.seconds;
  if (!trained.error.empty()) return measurement.end(Entry::State::kFailed, trained.error);
  measurement.json["finetune"] = trained.output;
  if (trained.timed_out && trained.output.value("status", "") == "interrupted")
    return measurement.end(Entry::State::kTooSlow, too_slow(trained, bench.constraints.seconds));
  if (const std::string fault = trials::loss_fault(trained.output); !fault.empty())
    return measurement.end(Entry::State::kFailed, fault);
  measurement.json["adapter_bytes"] = weight_bytes(adapter);

  std::vector<std::string> more = base_arguments(bench, settings, method);
  more.insert(more.end(), {"--adapter", adapter.string(), "--without-base"});
  const ChildResult judged = evaluate(bench, folder, more);
  if (judged.interrupted) return false;
  if (!judged.error.empty()) return measurement.end(Entry::State::kFailed, judged.error);
  measurement.json["evaluate"] = judged.output;
  return measurement.end(Entry::State::kMeasured, "");
}

bool measure_base(const Bench& bench, const fs::path& folder) {
  Measurement measurement("base", folder);
  const ChildResult judged = evaluate(bench, folder, {});
  if (judged.interrupted) return false;
  if (!judged.error.empty()) fail(ErrorKind::kUserInput, "{}", judged.error);
  measurement.json["evaluate"] = judged.output;
  return measurement.end(Entry::State::kMeasured, "");
}

}  // namespace toolkit::compare
